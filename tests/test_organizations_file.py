"""The section `organizations`: read whole, every mistake at its place."""

from pathlib import Path

import pytest

from scanner.errors import SettingsError
from scanner.organizations_file import Organization
from scanner.references import Reference
from scanner.settings_file import parse_settings
from scanner.values_file import Said

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


def test_all_mistakes_are_told_at_once_each_at_its_place() -> None:
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
    choice = "an organization has its key from one of key_env, key_file, key_command"
    found = mistakes(text)
    assert found[:15] == [
        f"k.yaml:2:5: {choice}",
        "k.yaml:3:5: an organization lacks 'name'",
        f"k.yaml:4:5: {choice}",
        "k.yaml:4:5: there are two organizations 'Acme'",
        "k.yaml:8:14: 'key_env' names the environment variable that holds the key",
        (
            "k.yaml:10:18: 'key_command' is a list, a program and its arguments, for no shell"
            " reads it: [vault, kv, get, -field=key, secret/openai]"
        ),
        f"k.yaml:11:5: {choice}",
        ("k.yaml:12:5: unknown key 'key_comand' in an organization; did you mean 'key_command'?"),
        "k.yaml:13:15: 'policies' is empty: write something or remove it",
        (
            "k.yaml:14:16: unknown key 'xml' in 'outputs'; known: html, json, jsonl, csv, markdown,"
            " text, sarif, junit, ocsf"
        ),
        ("k.yaml:15:5: an organization must be a mapping with name"),
        ("k.yaml:17:26: an entry of 'key_command' must be text: YAML reads 3 as int; write \"3\""),
        found[12],
    ]
    assert found[12].startswith("k.yaml:19:15: this is a secret, and this file is no place for one")
    assert "0123456789" not in "".join(found)


@pytest.mark.parametrize("content", ["", "[]", "{}", "Acme"])
def test_a_list_without_any_is_refused(content: str) -> None:
    (mistake,) = mistakes(f"organizations: {content}")
    assert "'organizations' takes a list with at least one organization in it" in mistake


def test_two_names_that_look_the_same_are_one_name() -> None:
    text = """\
organizations:
  - { name: "Caf\\u00e9", key_env: A }
  - { name: "Cafe\\u0301", key_env: B }
"""
    assert mistakes(text) == ["k.yaml:3:5: there are two organizations 'Caf\u00e9'"]
