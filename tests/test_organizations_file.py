"""The section `organizations`: read whole, every mistake at its place."""

from pathlib import Path

import pytest

from scanner.errors import SettingsError
from scanner.organizations_file import Organization
from scanner.references import Reference
from scanner.settings_file import parse_settings
from scanner.values_file import Said
from tests.support.prose import Prose

GOOD = """\
organizations:
  - name: Acme
    key_env: ACME_KEY
  - name: Research
    key_file: research.key
    policies: [strict, own.yaml]
    outputs: { html: "{organization}.html" }
    base_url: https://eu.api.openai.com/v1/
  - name: Labs
    key_command: [vault, kv, get, secret/openai]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "k.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_each_has_its_key_from_somewhere_and_what_is_its_own() -> None:
    assert parse_settings(GOOD, "etc/k.yaml").organizations == (
        Organization(
            name="Acme",
            key=Reference(variable="ACME_KEY", at="etc/k.yaml:3:14"),
            at="etc/k.yaml:2:5",
        ),
        Organization(
            name="Research",
            key=Reference(file=Path("etc/research.key"), at="etc/k.yaml:5:15"),
            at="etc/k.yaml:4:5",
            own={
                "policy": Said(texts=("strict", "etc/own.yaml"), at="etc/k.yaml:6:15"),
                "output": Said(texts=("html=etc/{organization}.html",), at="etc/k.yaml:7:14"),
                "base_url": Said(texts=("https://eu.api.openai.com/v1/",), at="etc/k.yaml:8:15"),
            },
        ),
        Organization(
            name="Labs",
            key=Reference(command=("vault", "kv", "get", "secret/openai"), at="etc/k.yaml:10:18"),
            at="etc/k.yaml:9:5",
        ),
    )


def test_a_program_with_a_path_is_looked_for_beside_the_file() -> None:
    text = "organizations: [{ name: a, key_command: [./get, x] }]"
    (one,) = parse_settings(text, "etc/k.yaml").organizations
    assert one.key.command == (str(Path("etc/get").absolute()), "x")


def test_all_mistakes_are_reported_together_each_at_its_place(prose: Prose) -> None:
    text = """\
organizations:
  - name: Acme
  - key_env: A
  - name: Acme
    key_env: A
    key_file: b
  - name: b
    key_env: "my key"
  - name: c
    key_command: vault read
  - name: d
    key_comand: [vault]
    policies: []
    outputs: { xml: a }
  - e
  - name: f
    key_command: [vault, 3]
  - name: g
    key_file: sk-admin-0123456789abcdef
"""
    found = mistakes(text)
    prose("\n".join(found))
    assert "0123456789" not in "".join(found)


@pytest.mark.parametrize("content", ["", "[]", "{}", "Acme"])
def test_an_empty_list_is_rejected(content: str, prose: Prose) -> None:
    (mistake,) = mistakes(f"organizations: {content}")
    prose(mistake)


def test_two_names_that_look_the_same_are_one_name() -> None:
    text = """\
organizations:
  - { name: "Caf\\u00e9", key_env: A }
  - { name: "Cafe\\u0301", key_env: B }
"""
    (mistake,) = mistakes(text)
    assert mistake.startswith("k.yaml:3:5: ")
    assert "'Caf\u00e9'" in mistake
