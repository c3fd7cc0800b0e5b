"""The schema that editors use: it accepts what the reader accepts, and sees most mistakes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from scanner.errors import SettingsError
from scanner.settings_file import parse_settings
from scanner.settings_schema import settings_schema
from scanner.settings_table import SETTINGS
from scanner.settings_text import settings_text
from tests.conftest import ROOT, golden
from tests.test_organizations_file import GOOD as ORGANIZATIONS
from tests.test_settings_file import GOOD as ALERTS
from tests.test_settings_text import uncommented
from tests.test_values_file import GOOD as VALUES

SCHEMA = settings_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ROUTE = "{ name: a, slack: '#a' }"
REFUSED = (
    "[]",
    "polices: [baseline]",
    "policies: []",
    "policies: [3]",
    "outputs: [html=x]",
    "outputs: { htm: x }",
    "outputs: {}",
    "fail_on: hihg",
    "collect: some",
    "skip: users",
    "deadline: 0",
    "redact_emails: maybe",
    "snapshot: ''",
    "parallel: 33",
    "store: { keep: a while }",
    "store: { keep_snapshots: -1 }",
    "store: { url: a, url_env: B }",
    "store: { url_env: A, url_file: B }",
    "store: { url: 'postgresql://u:p@db/k' }",
    "http: { base_url: ftp://x }",
    "http: { proxy: 'http://u:p@proxy' }",
    "http: { timeout: 0 }",
    "http: { concurrency: 129 }",
    "organizations: []",
    "organizations: [{ key_env: A }]",
    "organizations: [{ name: a }]",
    "organizations: [{ name: a, key_env: A, key_file: b }]",
    "organizations: [{ name: a, key_env: 'a b' }]",
    "organizations: [{ name: a, key_command: vault }]",
    "alerts: {}",
    "alerts: { routes: [{ name: a }] }",
    "alerts: { routes: [{ name: a, slack: '#a', email: a@example.com }] }",
    "alerts: { routes: [{ name: a, slack: '#a', severity: hihg }] }",
    "alerts: { routes: [{ name: a, slack: '#a', mention: here }] }",
    "alerts: { routes: [{ name: a, slack: '#a', quiet: loud }] }",
    "alerts: { routes: [{ name: a, slack: '#a', reminder: soon }] }",
    f"alerts: {{ report: 'http://example.com', routes: [{ROUTE}] }}",
    "revocation: {}",
    "revocation: { mode: delete }",
    "revocation: { mode: plan, max_keys: -1 }",
    "revocation: { mode: plan, max_percent: 101 }",
    "revocation: { mode: plan, min_age: 3 }",
    "revocation: { mode: plan, protect: { kyes: [a] } }",
    "revocation: { mode: plan, admin_keys: [] }",
)


def complaints(text: str) -> list[str]:
    loaded: Any = yaml.safe_load(text)
    return [error.message for error in VALIDATOR.iter_errors(loaded)]


def sections(schema: Any, around: str = "@") -> Iterator[tuple[str, list[str]]]:
    """Yield each mapping of the schema as YAML with a word that it has not, and its words."""
    yield around.replace("@", "{ nonsuch: 1 }"), sorted(schema["properties"])
    for name, value in schema["properties"].items():
        is_list = value.get("type") == "array"
        inner = value["items"] if is_list else value
        if "properties" in inner and name != "outputs":
            item = f"{{ {name}: {'[@]' if is_list else '@'} }}"
            yield from sections(inner, around.replace("@", item))


def test_the_published_schema_is_the_schema_and_a_schema_at_all() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    golden(ROOT / "docs" / "settings.schema.json", json.dumps(SCHEMA, indent=2) + "\n")


@pytest.mark.parametrize(
    "text",
    [
        VALUES,
        ORGANIZATIONS,
        ALERTS,
        settings_text(),
        uncommented(settings_text()),
        "policies: baseline",
        "store: { url_env: DB }",
        "store: { url: postgresql://db/k }",
        f"alerts: {{ routes: [{ROUTE}] }}",
        "revocation: { mode: 'off' }",
    ],
)
def test_what_the_reader_accepts_the_schema_accepts(text: str) -> None:
    parse_settings(text, "k.yaml")
    assert complaints(text) == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_schema_refuses_the_reader_refuses(text: str) -> None:
    assert complaints(text)
    with pytest.raises(SettingsError):
        parse_settings(text, "k.yaml")


@pytest.mark.parametrize(("text", "words"), list(sections(SCHEMA)))
def test_editors_are_offered_the_words_that_the_reader_knows(text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "k.yaml")
    told = [
        re.search(r"unknown key 'nonsuch' in .*; known: (.*)", str(one))
        for one in caught.value.problems
    ]
    (known,) = [sorted(found[1].split(", ")) for found in told if found]
    assert known == words


def test_every_setting_is_described() -> None:
    text = json.dumps(SCHEMA)
    for setting in SETTINGS:
        if setting.name:
            assert f"Also {setting.flag} and {setting.variable}." in text
