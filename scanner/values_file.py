"""The settings in keyvigil.yaml that options and the environment can also set."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scanner.kinds import Kind
from scanner.policy import document
from scanner.policy.document import Items, Node, Scalar, whole_number
from scanner.policy.problems import Problems
from scanner.schemas import is_whole
from scanner.setting import Setting
from scanner.settings_table import SECTIONS, SETTINGS, STORE

ELSEWHERE: Final = {"url_env": "env:", "url_file": "file:"}
"""Fields that name the source of the history's address -> their prefix in --store."""
TOP: Final = tuple(one.name for one in SETTINGS if one.name and "." not in one.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A setting's value in the file, as texts of an option, and its place: file:line:column."""

    texts: tuple[str, ...]
    at: str

    @property
    def text(self) -> str:
        """The text, or the last of several."""
        return self.texts[-1]


def parse_values(
    fields: Mapping[str, Node], problems: Problems, folder: Path
) -> dict[str, Said | None]:
    """Return the values, by the option's parameter; note every mistake.

    Paths are relative to `folder`, the file's folder.
    """
    values: dict[str, Said | None] = {}
    for setting in SETTINGS:
        if setting.name in fields:
            values[setting.parameter] = parse_value(setting, fields[setting.name], problems, folder)
    for section, settings in SECTIONS.items():
        if section in fields:
            values |= _section(section, settings, fields[section], problems, folder)
    return values


def _section(
    name: str, settings: tuple[Setting[Any], ...], node: Node, problems: Problems, folder: Path
) -> dict[str, Said | None]:
    words = {one.name.partition(".")[2]: one for one in settings}
    more = tuple(ELSEWHERE) if STORE in settings else ()
    fields = problems.fields(node, f"'{name}'", required=(), optional=(*words, *more))
    values = {
        setting.parameter: parse_value(setting, fields[word], problems, folder)
        for word, setting in words.items()
        if word in fields
    }
    places = [word for word in ("url", *ELSEWHERE) if word in fields and more]
    if len(places) > 1:
        problems.add(node, f"the history needs a single address: keep {' or '.join(places)}")
    for word in places:
        if word in ELSEWHERE:
            text = problems.text(fields[word], f"'{word}'")
            if word == "url_file":
                text = STORE.kind.beside(text, folder)
            values[STORE.parameter] = Said(
                texts=(f"{ELSEWHERE[word]}{text}",), at=_at(fields[word], problems)
            )
    return values


def parse_value(setting: Setting[Any], node: Node, problems: Problems, folder: Path) -> Said | None:
    """Return a setting's value from a node; None after noting a mistake."""
    kind, what = setting.kind, _name(setting)
    entries = list(_entries(setting, node, problems))
    if _is_empty(setting, node):
        problems.add(node, f"{what} is empty: set a value or remove it")
    texts = [_text(setting, one, prefix, problems) for prefix, one in entries]
    if None in texts or not texts:
        return None
    beside = (kind.beside(text, folder) for text in texts if text is not None)
    return Said(texts=tuple(beside), at=_at(node, problems))


def _entries(setting: Setting[Any], node: Node, problems: Problems) -> Iterator[tuple[str, Node]]:
    """Yield each part of a value, with its prefix in the option."""
    if setting.kind.is_by_format:
        formats = tuple(setting.kind.schema["properties"])
        fields = problems.fields(node, _name(setting), required=(), optional=formats)
        yield from ((f"{name}=", value) for name, value in fields.items())
    elif setting.kind.is_many and isinstance(node, Items):
        yield from (("", item) for item in node.items)
    else:
        yield "", node


def _is_empty(setting: Setting[Any], node: Node) -> bool:
    if setting.kind.is_by_format:
        return isinstance(node, document.Mapping) and not node.entries
    return setting.kind.is_many and isinstance(node, Items) and not node.items


def _text(setting: Setting[Any], node: Node, prefix: str, problems: Problems) -> str | None:
    kind, what = setting.kind, _name(setting)
    if not isinstance(node, Scalar):
        problems.add(node, f"{what} must be a single value")
        return None
    if kind.types == ("str",):
        text = problems.text(node, what)
        if not text:
            return None
    elif kind.types == ("int",):
        number = whole_number(node)
        text = "" if number is None else str(number)  # kinds of numbers reject ""
    else:
        text = node.text if node.type in kind.types else ""
    wrong = _wrong(kind, prefix, text)
    if wrong:
        problems.add(node, f"{what} {wrong}")
        return None
    return f"{prefix}{text}"


def _wrong(kind: Kind[Any], prefix: str, text: str) -> str:
    """Return why a text is not valid, or must not be in the file; "" if it is valid."""
    try:
        kind.read(f"{prefix}{text}")
    except ValueError as error:
        return str(error)
    if leak := kind.leaks(text):
        return leak
    if kind.pattern and not is_whole(kind.pattern, text):
        return "must be in lower case, without blanks around it"
    return ""


def _name(setting: Setting[Any]) -> str:
    return f"'{setting.name.rpartition('.')[2]}'"


def _at(node: Node, problems: Problems) -> str:
    return f"{problems.file}:{node.line}:{node.column}"
