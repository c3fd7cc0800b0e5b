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
from tests.support.prose import Prose


def shown(check: Check) -> str:
    """Return a check's message and help as people read them."""
    return f"{check.said}\n{check.help}"


TWO = tuple(Problem(file="p.yaml", line=line, column=1, message="no") for line in (1, 2))


def failed(collection: Collection, kind: Any, **more: Any) -> list[Asked]:
    error = kind("It failed.", endpoint="GET /x", **more)
    return [Asked(collection=collection, endpoint="GET /x", error=error)]


@pytest.mark.parametrize(
    ("error", "said", "help_", "is_setting"),
    [
        (UsageError("No.", help="Yes."), "No.", "Yes.", True),
        (AlertError("No."), "No.", "", False),
    ],
)
def test_an_error_is_a_problem_with_its_help(
    error: KeyVigilError, said: str, help_: str, *, is_setting: bool
) -> None:
    assert problem("x", error) == Check(
        name="x", state=State.PROBLEM, said=said, help=help_, is_setting=is_setting
    )


def test_of_several_errors_the_first_is_shown_with_the_number_of_others(prose: Prose) -> None:
    for errors in (TWO[:1], TWO):
        check = problem("x", PolicyError(errors))
        assert (check.state, check.is_setting) == (State.PROBLEM, True)
        assert check.said.startswith("p.yaml:1:1: no")
        prose(shown(check))


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
    ("collection", "kind", "help_"),
    [
        (Collection.PROJECTS, ApiRejected, "From the error."),
        (Collection.USERS, ApiFailed, "From the error."),
        (Collection.COSTS, ApiFailed, "--skip costs"),
        (Collection.AUDIT_LOGS, ApiFailed, "--skip audit_logs"),
        (Collection.COSTS, ApiMalformed, "From the error."),
    ],
)
def test_another_failure_has_the_help_that_fits(
    collection: Collection, kind: Any, help_: str
) -> None:
    check = answered(failed(collection, kind, help="From the error."))
    assert check.state is State.PROBLEM
    assert help_ in check.help


def test_a_failure_of_a_collection_that_no_scan_requests_is_no_problem(prose: Prose) -> None:
    asked = failed(Collection.COSTS, ApiForbidden)
    check = answered(asked, unneeded="no rule needs it")
    assert check.state is State.OK
    assert "api.usage.read" in check.help
    prose(shown(check))


def test_several_endpoints_are_one_line_and_the_first_failure_counts(prose: Prose) -> None:
    good = [Asked(collection=Collection.USAGE, endpoint=f"GET /{name}") for name in "abc"]
    check = answered(good)
    assert (check.name, check.state) == ("usage", State.OK)
    prose(shown(check))
    assert answered([*good, *failed(Collection.USAGE, ApiFailed)]).state is State.PROBLEM


def test_an_endpoint_without_a_request_is_not_checked() -> None:
    asked = [Asked(collection=Collection.USERS, endpoint="GET /x", skipped="why")]
    assert answered(asked) == unchecked("users", "why")


@pytest.mark.parametrize(
    ("seconds", "state", "apart"),
    [
        (0, State.OK, "1s"),
        (-60, State.OK, "1m"),
        (61, State.PROBLEM, "1m 1s ahead"),
        (-7200, State.PROBLEM, "2h behind"),
    ],
)
def test_a_clock_may_be_a_minute_off(seconds: int, state: State, apart: str, prose: Prose) -> None:
    check = clock(timedelta(seconds=seconds))
    assert check.state is state
    assert f" {apart} " in check.said
    assert bool(check.help) is (state is State.PROBLEM)
    prose(shown(check))


def test_an_unknown_clock_is_not_checked() -> None:
    assert clock(None).state is State.NOT_CHECKED


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(),
        Bounds(mode=Mode.PLAN),
        Bounds(mode=Mode.ENFORCE, admin_keys=frozenset({"key_1"}), max_percent=0.5),
    ],
    ids=list(Mode),
)
def test_the_limits_of_revocation_are_shown(bounds: Bounds, prose: Prose) -> None:
    check = revocation(bounds)
    assert (check.name, check.state) == ("revocation", State.OK)
    assert check.said.startswith(f"{bounds.mode}: ")
    prose(check.said)


def test_an_organization_without_any_name_is_a_problem_of_the_settings() -> None:
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
