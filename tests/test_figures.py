"""A value never reads as the limit that it is over: property tests, and amounts of money."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.durations import format_duration, format_exactly, spell, spell_exactly
from scanner.figures import format_amount, limit_in
from scanner.finding import Evidence, Value, describe
from scanner.inventory import Unknown
from scanner.policy.operators import Operator, spelled
from scanner.words import in_words

DURATIONS = st.builds(
    lambda hours, rest: timedelta(hours=hours) + rest,
    st.integers(-10_000, 100_000),
    st.one_of(
        st.timedeltas(timedelta(0), timedelta(hours=1)),
        st.builds(timedelta, seconds=st.integers(0, 3_600)),
    ),
)
LIMITS = st.builds(timedelta, hours=st.integers(0, 100_000))
AMOUNTS = st.decimals(0, 10_000_000, places=6, allow_nan=False, allow_infinity=False)


@given(DURATIONS, st.one_of(LIMITS, DURATIONS))
def test_two_durations_read_alike_only_if_they_are_alike(
    value: timedelta, limit: timedelta
) -> None:
    is_same = value == limit
    assert (spell(value, limit) == spell_exactly(limit)) is is_same
    assert (format_duration(value, limit) == format_exactly(limit)) is is_same


@given(AMOUNTS, st.decimals(0, 10_000_000, places=2, allow_nan=False, allow_infinity=False))
def test_two_amounts_read_alike_only_if_they_are_alike(value: Decimal, limit: Decimal) -> None:
    is_same = value == limit
    assert (format_amount(value, limit) == format_amount(limit)) is is_same
    assert (format_amount(value, limit, ",") == format_amount(limit, separator=",")) is is_same


@given(
    st.one_of(
        st.tuples(DURATIONS, LIMITS, st.just("age")),
        st.tuples(AMOUNTS, AMOUNTS, st.just("usage.cost_usd")),
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.just("usage.requests")),
    ),
    st.sampled_from(
        [Operator.OVER, Operator.AT_LEAST, Operator.UNDER, Operator.AT_MOST],
    ),
)
def test_no_evidence_reads_as_if_a_value_were_its_limit(
    case: tuple[timedelta, timedelta, str] | tuple[Decimal, Decimal, str] | tuple[int, int, str],
    operator: Operator,
) -> None:
    value, limit, fact = case
    evidence = Evidence(fact, value, spelled(operator, limit))
    same = Evidence(fact, limit, spelled(operator, limit))
    assert (in_words(evidence) == in_words(same)) is (value == limit)
    assert (evidence.observed == same.observed) is (value == limit)
    assert same.observed == describe(limit)


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (timedelta(days=60, hours=3), "over 60d", "60 days and 3 hours old, limit 60 days"),
        (timedelta(days=60, seconds=12), "over 60d", "60 days and 12 seconds old, limit 60 days"),
        (timedelta(days=61), "over 60d 3h", "61 days old, limit 60 days and 3 hours"),
        (timedelta(days=60, hours=2), "not: over 60d 3h", "60 days old, not over 60 days"),
        (timedelta(minutes=30), "under 1h", "30 minutes old, under 1 hour"),
        (timedelta(days=60), "at most 60d", "60 days old, at most 60 days"),
    ],
)
def test_a_duration_is_as_exact_as_its_limit_requires(
    value: timedelta, limit: str, text: str
) -> None:
    assert in_words(Evidence("age", value, limit)).startswith(text)


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (Decimal("100.4"), "over 100", "100.40 US dollars in 30 days, limit 100"),
        (Decimal("0.004"), "over 0", "0.004 US dollars in 30 days, limit 0"),
        (Decimal("1234.567"), "over 1000", "1,234.56 US dollars in 30 days, limit 1,000"),
        (Decimal("0.1") + Decimal("0.2"), "at least 0.30", "0.30 US dollars in 30 days, at least"),
        (Decimal("1E+2"), "over 99", "100 US dollars in 30 days, limit 99"),
        (
            Unknown(reason="gap", at_least=Decimal("12.5")),
            "over 10",
            "at least 12.50 US dollars in 30 days, limit 10 (the rest is unknown: gap)",
        ),
    ],
)
def test_an_amount_keeps_its_cents(value: Value, limit: str, text: str) -> None:
    assert in_words(Evidence("usage.cost_usd", value, limit)).startswith(text)


def test_counts_have_separators_on_both_sides() -> None:
    evidence = Evidence("usage.requests", 12_345, "over 10000")
    assert in_words(evidence) == "12,345 requests in 30 days, limit 10,000"
    assert evidence.observed == "12345"


@pytest.mark.parametrize(
    "text", ["is left_org", "one of 1, 2", "like 3", "known yes", "", "over x"]
)
def test_what_is_not_a_figure_is_not_a_limit(text: str) -> None:
    assert limit_in(text) is None
