"""The section `schedule`: its values, every mistake at its place, and what overrides the file."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from scanner.cron import parse_cron
from scanner.errors import SettingsError, UsageError
from scanner.schedule import Schedule
from scanner.schedule_file import DEFAULT, Timing, override
from scanner.settings_file import parse_settings
from tests.support.prose import Prose

GOOD = """\
schedule:
  cron: "15 3 * * mon-fri"
  time_zone: Europe/Berlin
  jitter: 10m
  timeout: 1h 30m
"""
WEEKDAYS = Timing(
    schedule=Schedule(
        cron=parse_cron("15 3 * * mon-fri"),
        zone=ZoneInfo("Europe/Berlin"),
        jitter=timedelta(minutes=10),
    ),
    timeout=timedelta(minutes=90),
)


def mistakes(*lines: str) -> list[str]:
    text = "schedule:\n" + "".join(f"  {line}\n" for line in lines)
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "k.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_section_is_read() -> None:
    assert parse_settings(GOOD, "k.yaml").timing == WEEKDAYS
    assert WEEKDAYS.words == "15 3 * * mon-fri in Europe/Berlin"


def test_without_it_the_scan_is_nightly() -> None:
    assert parse_settings("{}", "k.yaml").timing == DEFAULT
    assert parse_settings("schedule: {}", "k.yaml").timing == DEFAULT
    assert DEFAULT.words == "30 2 * * * in UTC"


def test_every_mistake_is_reported_at_its_place(prose: Prose) -> None:
    prose(
        "\n".join(
            mistakes(
                "cron: 30 25 * * *",
                "time_zone: Berlin",
                "jitter: 10",
                "timeout: 2d",
                "zone: UTC",
            )
        )
    )


@pytest.mark.parametrize(
    ("zone", "mistake"),
    [
        ("Europe/Berln", "there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        ("new york", "there is no time zone 'new york'; did you mean 'America/New_York'?"),
        ("Europe", "there is no time zone 'Europe'"),
        ("../etc/passwd", "there is no time zone '../etc/passwd'"),
        ("'+01:00'", "there is no time zone '+01:00'"),
        ('"UTC\\0"', "there is no time zone 'UTC\0'"),
        ("[UTC]", "'time_zone' must be text"),
    ],
)
def test_an_unknown_time_zone_is_rejected(zone: str, mistake: str) -> None:
    assert mistakes(f"time_zone: {zone}")[0].startswith(f"k.yaml:2:14: {mistake}")


@pytest.mark.parametrize("line", ["cron: [30]", "jitter: [1]", "jitter: 7h", "timeout: 59s"])
def test_an_invalid_value_is_rejected(line: str) -> None:
    assert len(mistakes(line)) == 1


def test_options_override_the_environment_and_that_the_file() -> None:
    environment = {"KEYVIGIL_CRON": "@daily", "KEYVIGIL_TIME_ZONE": " America/New_York "}
    said = override(WEEKDAYS, environment, None, None)
    assert said.words == "@daily in America/New_York"
    assert (said.schedule.jitter, said.timeout) == (timedelta(minutes=10), timedelta(minutes=90))
    assert override(WEEKDAYS, environment, "@hourly", "UTC").words == "@hourly in UTC"
    assert override(WEEKDAYS, {}, None, None) == WEEKDAYS


@pytest.mark.parametrize(
    ("environment", "cron", "zone", "message"),
    [
        ({}, "30 25 * * *", None, "--cron '30 25 * * *': character 4: the hour 25 is not"),
        ({"KEYVIGIL_CRON": "daily"}, None, None, "KEYVIGIL_CRON 'daily': character 6: a schedule"),
        ({}, None, "Berlin", "--time-zone: there is no time zone 'Berlin'; did you mean 'Europe"),
        ({"KEYVIGIL_TIME_ZONE": "x"}, None, None, "KEYVIGIL_TIME_ZONE: there is no time zone 'x'"),
    ],
)
def test_an_invalid_option_or_variable_is_one_error(
    environment: dict[str, str], cron: str | None, zone: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        override(DEFAULT, environment, cron, zone)
    assert str(caught.value).startswith(message)
