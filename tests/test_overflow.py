"""Values beyond the range of dates, ports and counts are refused, never a failure of KeyVigil."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.cli.account import _moment
from scanner.daemon.http import parse_address
from scanner.durations import parse_duration, parse_short_duration
from scanner.errors import PolicyError, UsageError
from scanner.kinds import duration, whole
from scanner.policy.parse import parse_policy

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HUGE = "9" * 5_000


@given(parts=st.lists(st.tuples(st.integers(0, 10**7), st.sampled_from("wdh")), max_size=5))
def test_every_duration_can_be_added_to_now_and_taken_from_it(parts: list[tuple[int, str]]) -> None:
    value = parse_duration(" ".join(f"{amount}{unit}" for amount, unit in parts)) or timedelta()
    assert NOW - value < NOW + value or not value


@pytest.mark.parametrize("text", ["450000w", "9999999d", "9999999h", f"{HUGE}d"])
def test_a_duration_beyond_the_range_of_dates_is_refused_with_its_line(text: str) -> None:
    assert parse_duration(text) is None
    with pytest.raises(ValueError, match="duration"):
        duration(timedelta(days=1), timedelta(days=36_500)).read(text)
    policy = f"""policy: mine
rules:
  - id: old
    title: Old
    severity: high
    violated_when: {{ age: {{ over: 90d }} }}
    why: Because.
    fix: Fix it.
    respond: {{ revoke: expire, after: {text} }}
"""
    with pytest.raises(PolicyError) as caught:
        parse_policy(policy, "p.yaml")
    assert [problem.line for problem in caught.value.problems] == [9]


def test_counts_ports_and_moments_of_any_length_are_refused() -> None:
    assert parse_short_duration("9999999h") is None
    with pytest.raises(ValueError, match="whole number"):
        whole(1, 100).read(HUGE)
    with pytest.raises(UsageError):
        parse_address(f"127.0.0.1:{HUGE}")
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(UsageError):
            _moment(moment)
