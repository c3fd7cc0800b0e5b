from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.durations import format_duration, parse_duration, parse_short_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("2w", timedelta(days=14)),
        ("1d 12h", timedelta(days=1, hours=12)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("0d", timedelta()),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "90",
        "d",
        "",
        "-1d",
        "1.5d",
        "90 d",
        "1y",
        "3m",
        "30s",
        "1d  2h",
        "٣d",
        "1d,2h",
        "1d" * 6,
        "99999999d",
        "1d\n",
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=412, hours=5, minutes=3), "412d 5h"),
        (timedelta(days=90), "90d"),
        (timedelta(days=90, seconds=1), "90d 1s"),
        (timedelta(hours=3, minutes=20), "3h 20m"),
        (timedelta(), "0s"),
        (timedelta(days=-2), "-2d"),
    ],
)
def test_durations_are_spelled_in_their_two_largest_units(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@given(st.integers(0, 9_999), st.sampled_from("wdh"))
def test_what_is_spelled_can_be_read_back_and_is_never_longer(amount: int, unit: str) -> None:
    duration = parse_duration(f"{amount}{unit}")
    assert duration is not None
    spelled = parse_duration(format_duration(duration)) if duration else timedelta()
    assert spelled == duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("10m", timedelta(minutes=10)),
        ("1h 30m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("90s", timedelta(seconds=90)),
        ("6h", timedelta(hours=6)),
        ("0m", timedelta()),
    ],
)
def test_short_durations_have_minutes(text: str, duration: timedelta) -> None:
    assert parse_short_duration(text) == duration


@pytest.mark.parametrize("text", ["", " ", "10", "m", "30m 1h", "1d", "2w", "-5m", "1.5h", "10 m"])
def test_what_is_no_short_duration_is_refused(text: str) -> None:
    assert parse_short_duration(text) is None
