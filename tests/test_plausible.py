"""Impossible dates are Unknown, in every record and field."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.inventory import AuditEvent, AuditKind, Inventory, KeyUse, Unknown, oldest_first
from scanner.plausible import plausible_key
from scanner.policy.registry import FACTS
from scanner.policy.subject import subjects
from tests.factories import NOW, a_key, a_project, ago, an_inventory
from tests.planning import a_policy, planned, seen

DAY = timedelta(days=1)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001 - zone below
    lambda moment: moment.replace(tzinfo=NOW.tzinfo)
)
UNKNOWN = Unknown(reason="created_at is 0")


def fact(name: str, inventory: Inventory) -> object:
    (subject,) = subjects(inventory, NOW)
    return FACTS[name].read(subject)


@given(
    created=MOMENTS | st.just(UNKNOWN),
    used=MOMENTS | st.none() | st.just(UNKNOWN),
    expires=MOMENTS | st.none() | st.just(UNKNOWN),
    parent=MOMENTS | st.just(UNKNOWN),
    last_day=MOMENTS | st.none(),
    clock=st.timedeltas(timedelta(days=-200), timedelta(days=200)),
)
def test_no_age_is_negative_and_no_idle_time_exceeds_the_age(  # noqa: PLR0913, PLR0917 - every date
    created: datetime | Unknown,
    used: datetime | Unknown | None,
    expires: datetime | Unknown | None,
    parent: datetime | Unknown,
    last_day: datetime | None,
    clock: timedelta,
) -> None:
    uses = (KeyUse(key_id="key_1", requests=1, last_day=last_day),) if last_day else ()
    key = a_key(created_at=created, last_used_at=used, expires_at=expires)
    inventory = an_inventory(keys=(key,), projects=(a_project(created_at=parent),), uses=uses)
    (subject,) = subjects(inventory, NOW + clock)
    facts = {name: FACTS[name].read(subject) for name in ("age", "idle", "lifetime", "project.age")}
    durations = {n: value for n, value in facts.items() if isinstance(value, timedelta)}
    assert all(value >= timedelta() for value in durations.values())
    if "age" in durations and "idle" in durations:
        assert durations["idle"] <= durations["age"]
    if "idle" in durations and "project.age" in durations:
        assert durations["idle"] <= durations["project.age"]


@pytest.mark.parametrize(
    ("dates", "name"),
    [
        ({"created_at": ago(days=-2)}, "age"),
        ({"created_at": ago(days=10), "last_used_at": ago(days=11)}, "used"),
        ({"created_at": ago(days=10), "last_used_at": ago(days=11)}, "idle"),
        ({"last_used_at": ago(days=-2)}, "idle"),
        ({"created_at": ago(days=10), "expires_at": ago(days=11)}, "expires"),
        ({"created_at": ago(days=10), "expires_at": ago(days=11)}, "expires_in"),
        ({"created_at": UNKNOWN}, "age"),
        ({"created_at": UNKNOWN}, "lifetime"),
        ({"created_at": UNKNOWN, "last_used_at": None}, "idle"),
        ({"created_at": ago(days=3000)}, "age"),
    ],
)
def test_what_depends_on_an_impossible_date_is_unknown(dates: dict[str, object], name: str) -> None:
    assert isinstance(fact(name, an_inventory(keys=(a_key(**dates),))), Unknown)


@pytest.mark.parametrize("created", [UNKNOWN, ago(days=30)])
@pytest.mark.parametrize(
    ("dates", "name"),
    [
        ({"last_used_at": ago(days=20)}, "idle"),
        ({"last_used_at": ago(days=20)}, "used"),
        ({"expires_at": ago(days=20)}, "expires"),
        ({"expires_at": ago(days=20)}, "key.state"),
    ],
)
def test_a_date_before_the_projects_creation_is_unknown(
    created: datetime | Unknown, dates: dict[str, object], name: str
) -> None:
    key = a_key(created_at=created, **dates)
    projects = (a_project(created_at=ago(days=10)),)
    assert isinstance(fact(name, an_inventory(keys=(key,), projects=projects)), Unknown)


def test_what_does_not_depend_on_it_is_known() -> None:
    key = a_key(created_at=UNKNOWN, last_used_at=ago(days=4))
    assert fact("idle", an_inventory(keys=(key,))) == 4 * DAY
    assert fact("expires", an_inventory(keys=(key,))) is True


def test_a_projects_impossible_date_does_not_hide_the_age_of_its_keys() -> None:
    projects = (a_project(created_at=ago(days=-40)),)
    assert fact("age", an_inventory(projects=projects)) == 10 * DAY


def test_usage_before_the_creation_is_no_use() -> None:
    uses = (KeyUse(key_id="key_1", requests=3, last_day=ago(days=20)),)
    key = a_key(last_used_at=None)
    assert isinstance(fact("used", an_inventory(keys=(key,), uses=uses)), Unknown)


def test_events_of_one_second_keep_the_order_of_the_log() -> None:
    def event(subject: str, at: datetime | Unknown) -> AuditEvent:
        kind = AuditKind.KEY_UPDATED
        return AuditEvent(kind=kind, subject_id=subject, at=at, actor=None, scopes=())

    log = [event("4", ago(days=1)), event("3", UNKNOWN), event("2", ago(days=1))]
    log += [event("1", ago(days=1)), event("0", ago(days=2))]
    assert [e.subject_id for e in oldest_first(log)] == ["0", "1", "2", "3", "4"]


DATES = st.integers(-100, 500).map(lambda days: ago(days=days))
OUTRIGHT = "{ any: [{ age: { over: 1d } }, { idle: { over: 1d } }, { owner.state: active }] }"


@given(
    created=DATES | st.just(UNKNOWN),
    used=DATES | st.none() | st.just(UNKNOWN),
    expires=DATES | st.none() | st.just(UNKNOWN),
    parent=DATES,
    when=st.sampled_from([OUTRIGHT, "{ owner.state: active }", "{ idle: { over: 1d } }"]),
    method=st.sampled_from(["expire", "restrict", "delete"]),
)
def test_no_key_is_revoked_that_has_an_impossible_or_unknown_date(  # noqa: PLR0913, PLR0917
    created: datetime | Unknown,
    used: datetime | Unknown | None,
    expires: datetime | Unknown | None,
    parent: datetime,
    when: str,
    method: str,
) -> None:
    key = a_key(created_at=created, last_used_at=used, expires_at=expires)
    project = a_project(created_at=parent)
    inventory = seen(key, projects=(project,))
    plan = planned(inventory, a_policy(when, method))
    is_certain = plausible_key(key, project, NOW) == key
    is_known = not any(isinstance(moment, Unknown) for moment in (created, used, expires))
    for action in (*plan.due, *plan.waiting):
        assert is_certain, action
        assert is_known, action


def test_a_key_with_certain_dates_is_revoked() -> None:
    """The property above is not true only because there are no actions."""
    plan = planned(
        seen(a_key(created_at=ago(days=200), last_used_at=ago(days=40), expires_at=None))
    )
    assert [action.key_id for action in plan.due] == ["key_1"]
