from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.checkup import (
    Asked,
    Check,
    ClockReading,
    State,
    answered,
    clock,
    clock_problems,
    ok,
    organization,
    problem,
    revocation,
    unchecked,
)
from scanner.collection import SCOPES, Collection
from scanner.errors import (
    AlertError,
    ApiFailed,
    ApiForbidden,
    ApiMalformed,
    ApiRejected,
    KeyVigilError,
    PolicyError,
    Problem,
    UsageError,
)
from scanner.revocation import Bounds, Mode

TWO = tuple(Problem(file="p.yaml", line=line, column=1, message="no") for line in (1, 2))


def failed(collection: Collection, kind: Any, **more: Any) -> list[Asked]:
    error = kind("It failed.", endpoint="GET /x", **more)
    return [Asked(collection=collection, endpoint="GET /x", error=error)]


@pytest.mark.parametrize(
    ("error", "said", "mend", "is_setting"),
    [
        (UsageError("No.", help="Yes."), "No.", "Yes.", True),
        (AlertError("No."), "No.", "", False),
        (PolicyError(TWO[:1]), "p.yaml:1:1: no", "Put the file right at that place.", True),
        (
            PolicyError(TWO),
            "p.yaml:1:1: no (and 1 more)",
            "Put the file right at that place.",
            True,
        ),
    ],
)
def test_an_error_is_a_problem_with_its_mend(
    error: KeyVigilError, said: str, mend: str, *, is_setting: bool
) -> None:
    assert problem("x", error) == Check(
        name="x", state=State.PROBLEM, said=said, help=mend, is_setting=is_setting
    )


@pytest.mark.parametrize("collection", Collection)
def test_a_missing_scope_is_named(collection: Collection) -> None:
    check = answered(failed(collection, ApiForbidden, help="Another."))
    assert (check.state, check.said) == (State.PROBLEM, "It failed.")
    assert f"the scope {SCOPES[collection]}," in check.help


def test_every_scope_is_one_that_reads() -> None:
    assert set(SCOPES) == set(Collection)
    assert set(SCOPES.values()) == {
        "api.management.read",
        "api.usage.read",
        "api.audit_logs.read",
    }


@pytest.mark.parametrize(
    ("collection", "kind", "mend"),
    [
        (Collection.PROJECTS, ApiRejected, "As told."),
        (Collection.USERS, ApiFailed, "As told."),
        (Collection.COSTS, ApiFailed, "--skip costs"),
        (Collection.AUDIT_LOGS, ApiFailed, "switched on in the organization's settings"),
        (Collection.COSTS, ApiMalformed, "As told."),
    ],
)
def test_what_else_fails_has_the_mend_that_fits(
    collection: Collection, kind: Any, mend: str
) -> None:
    check = answered(failed(collection, kind, help="As told."))
    assert check.state is State.PROBLEM
    assert mend in check.help


def test_what_no_scan_asks_for_is_no_problem_and_has_its_mend_all_the_same() -> None:
    asked = failed(Collection.COSTS, ApiForbidden)
    check = answered(asked, unneeded="no rule needs it")
    assert (check.state, check.said) == (State.OK, "no rule needs it; else: It failed.")
    assert "api.usage.read" in check.help


def test_several_endpoints_are_one_line_and_the_first_failure_counts() -> None:
    good = [Asked(collection=Collection.USAGE, endpoint=f"GET /{name}") for name in "abc"]
    assert answered(good) == ok("usage", "GET /a and 2 more answer")
    assert answered([*good, *failed(Collection.USAGE, ApiFailed)]).state is State.PROBLEM


def test_what_was_not_asked_is_not_checked() -> None:
    asked = [Asked(collection=Collection.USERS, endpoint="GET /x", skipped="why")]
    assert answered(asked) == unchecked("users", "why")


@pytest.mark.parametrize(
    ("seconds", "state", "said"),
    [
        (0, State.OK, "within 1s of the API's"),
        (-60, State.OK, "within 1m of the API's"),
        (61, State.PROBLEM, "this machine's clock is 1m 1s ahead of the API's"),
        (-7200, State.PROBLEM, "this machine's clock is 2h behind the API's"),
    ],
)
def test_a_clock_may_be_a_minute_off(seconds: int, state: State, said: str) -> None:
    check = clock(timedelta(seconds=seconds))
    assert (check.state, check.said) == (state, said)
    assert bool(check.help) is (state is State.PROBLEM)


def test_a_clock_that_was_not_told_is_not_checked() -> None:
    assert clock(None).state is State.NOT_CHECKED


BOUNDS = (
    "; at most 5 keys and {} % of all within a day, no key younger than 7d, none used within 1d,"
    " an expiring key still works for 7d, "
)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (Bounds(), "off: nothing is revoked"),
        (
            Bounds(mode=Mode.PLAN),
            f"plan: a plan is made and nothing is revoked{BOUNDS.format(1)}no admin keys",
        ),
        (
            Bounds(mode=Mode.ENFORCE, admin_keys=frozenset({"key_1"}), max_percent=0.5),
            f"enforce: keys are revoked{BOUNDS.format(0.5)}1 admin key",
        ),
    ],
)
def test_the_bounds_of_revocation_are_said_in_words(bounds: Bounds, said: str) -> None:
    assert revocation(bounds) == ok("revocation", said)


def test_an_organization_that_nothing_names_is_a_problem_of_the_settings() -> None:
    states = {
        (name, is_named): organization(name, is_named=is_named).state
        for name in (None, "acme")
        for is_named in (None, True, False)
    }
    assert states == {
        (None, None): State.NOT_CHECKED,
        (None, True): State.OK,
        (None, False): State.PROBLEM,
        ("acme", None): State.OK,
        ("acme", True): State.OK,
        ("acme", False): State.OK,
    }
    unnamed = organization(None, is_named=False)
    assert unnamed.is_setting
    assert "--organization" in unnamed.help


@pytest.mark.parametrize(
    ("reading", "names"),
    [
        (ClockReading(ahead=timedelta(minutes=5)), []),
        (ClockReading(ahead=timedelta(minutes=-5)), []),
        (ClockReading(ahead=timedelta(minutes=5, seconds=1)), ["database clock"]),
        (ClockReading(ahead=timedelta(minutes=-5, seconds=-1)), ["database clock"]),
        (
            ClockReading(
                ahead=timedelta(days=1),
                future_scans=("b", "a"),
                lock_end=datetime(2027, 1, 2, tzinfo=UTC),
            ),
            ["database clock", "recorded scans", "lock dates"],
        ),
    ],
)
def test_each_wrong_clock_or_date_of_a_history_is_a_problem_with_its_fix(
    reading: ClockReading, names: list[str]
) -> None:
    found = list(clock_problems(reading))
    assert [check.name for check in found] == names
    assert all(check.state is State.PROBLEM and check.help for check in found)
