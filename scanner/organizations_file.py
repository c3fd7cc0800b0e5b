"""The section `organizations` of keyvigil.yaml: the organizations to scan and their settings."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scanner.kinds import beside_file
from scanner.policy import document
from scanner.policy.document import Items, Node
from scanner.policy.problems import Problems
from scanner.references import Reference
from scanner.setting import Setting
from scanner.settings_table import BASE_URL, OUTPUTS, POLICIES
from scanner.values_file import Said, parse_value

KEYS: Final = ("key_env", "key_file", "key_command")
OWN: Final[Mapping[str, Setting[Any]]] = {
    "policies": POLICIES,
    "outputs": OUTPUTS,
    "base_url": BASE_URL,
}
"""The settings that an organization can override; the API has an address for each region."""
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """One organization: the name of its history, the source of its key, its own settings.

    `own` is by the option's parameter; `at` is the organization's place: file:line:column.
    """

    name: str
    key: Reference
    at: str
    own: dict[str, Said] = field(default_factory=dict)


def parse_organizations(
    node: Node | None, problems: Problems, folder: Path
) -> tuple[Organization, ...]:
    """Return the organizations; note every mistake. Paths are relative to `folder`."""
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.items:
        problems.add(node, "'organizations' must be a list of at least one organization")
        return ()
    found: list[Organization] = []
    for item in node.items:
        one = _organization(item, problems, folder)
        if one.name and one.name in {other.name for other in found}:
            problems.add(item, f"there are two organizations named '{one.name}'")
        found.append(one)
    return tuple(found)


def _organization(node: Node, problems: Problems, folder: Path) -> Organization:
    fields = problems.fields(node, "an organization", required=("name",), optional=(*KEYS, *OWN))
    own = {
        setting.parameter: parse_value(setting, fields[word], problems, folder)
        for word, setting in OWN.items()
        if word in fields
    }
    given = [word for word in KEYS if word in fields]
    if isinstance(node, document.Mapping) and len(given) != 1:
        problems.add(node, f"an organization needs exactly one of {', '.join(KEYS)}")
    key = Reference()
    for word in given:
        key = _key(word, fields[word], problems, folder)
    return Organization(
        name=unicodedata.normalize("NFC", problems.prose(fields.get("name"), "'name'")),
        key=key,
        at=_at(node, problems),
        own={name: said for name, said in own.items() if said},
    )


def _key(word: str, node: Node, problems: Problems, folder: Path) -> Reference:
    at = _at(node, problems)
    if word == "key_command":
        return Reference(command=_command(node, problems, folder), at=at)
    text = problems.text(node, f"'{word}'")
    if word == "key_file":
        return Reference(file=Path(beside_file(text, folder)), at=at)
    if text and not VARIABLE.fullmatch(text):
        problems.add(
            node, "'key_env' must be the name of the environment variable that contains the key"
        )
    return Reference(variable=text, at=at)


def _command(node: Node, problems: Problems, folder: Path) -> tuple[str, ...]:
    if not isinstance(node, Items) or not node.items:
        problems.add(
            node,
            "'key_command' must be a list of a program and its arguments, as it runs without a"
            " shell: [vault, kv, get, -field=key, secret/openai]",
        )
        return ()
    words = [problems.text(item, "an entry of 'key_command'") for item in node.items]
    if "/" in words[0]:
        words[0] = str((folder / words[0]).absolute())
    return tuple(words)


def _at(node: Node, problems: Problems) -> str:
    return f"{problems.file}:{node.line}:{node.column}"
