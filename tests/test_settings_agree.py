"""The schema of the settings accepts exactly what the reader accepts."""

import re
from typing import Any, Final

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from scanner.errors import SettingsError
from scanner.settings_file import parse_settings
from scanner.settings_schema import settings_schema
from tests.documents import near, spelled, words
from tests.test_organizations_file import GOOD as ORGANIZATIONS
from tests.test_settings_file import GOOD as ALERTS
from tests.test_values_file import GOOD as VALUES

INEXPRESSIBLE: Final = {
    "two routes or organizations of one name": r"there are two (?:routes|organizations) named '",
    "the bounds of a duration": (
        r"must be a duration from|'reminder' must be an interval|'expire_in' (?:is|must)"
        r"|'jitter' must be a delay"
    ),
    "what the fields of a cron expression hold": r"'cron': character",
    "which time zones there are": r"there is no time zone",
    "what looks like a secret": r"this is a secret",
}
"""What no schema can express, by the mistakes that the reader then reports; docs/settings.md
lists the same, and the spellings that the versions of YAML read differently."""

SCHEMA = settings_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
MORE = """
schedule: { cron: 30 2 * * *, time_zone: Europe/Berlin, jitter: 10m, timeout: 6h }
revocation:
  mode: plan
  max_keys: 5
  max_percent: 2.5
  min_age: 7d
  recent_use: 24h
  expire_in: 1d
  stop_file: stop
  protect: { keys: [a-*], projects: [b], owners: [c@example.com] }
  admin_keys: [key_1]
"""
SEEDS = [yaml.safe_load(text) for text in (VALUES, ORGANIZATIONS, ALERTS, MORE)]
KEYS = sorted({*words(SCHEMA), "nonsuch"})


def mistakes(document: Any) -> list[str]:
    try:
        parse_settings(spelled(document), "k.yaml")
    except SettingsError as error:
        return [problem.message for problem in error.problems]
    return []


def agree(document: Any) -> None:
    found = mistakes(document)
    complaints = [error.message for error in VALIDATOR.iter_errors(document)]
    if complaints:
        assert found, complaints
    else:
        unlisted = [one for one in found if not re.search("|".join(INEXPRESSIBLE.values()), one)]
        assert not unlisted


@pytest.mark.parametrize("seed", SEEDS)
def test_the_documents_to_begin_with_are_right(seed: Any) -> None:
    assert mistakes(seed) == []
    agree(seed)


@settings(max_examples=300)
@given(near(SEEDS, KEYS))
def test_schema_and_reader_agree_on_documents_near_the_right_ones(document: Any) -> None:
    agree(document)
