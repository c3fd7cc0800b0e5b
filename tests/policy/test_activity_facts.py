"""What a key did, and who made it: the newest evidence counts, and what was not seen is unknown."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.collection import Collection
from scanner.inventory import (
    AuditEvent,
    AuditKind,
    CoverageState,
    KeyCost,
    KeyUse,
    OwnerKind,
    ProjectAccess,
    Unknown,
)
from scanner.judge import judge
from scanner.plan import make_plan
from scanner.policy.columns import Column
from scanner.policy.facts import FACTS
from scanner.policy.operators import MANY, OPERATORS, Operator, column_test
from scanner.policy.parse import parse_policy
from scanner.policy.registry import FactType, Value
from scanner.policy_files import load_policies
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    a_listing,
    a_subject,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)

SEEN = (
    *full_coverage("proj_1"),
    *(a_listing(c) for c in (Collection.USAGE, Collection.COSTS, Collection.AUDIT_LOGS)),
)
TODAY = NOW.replace(hour=0)


def read(fact: str, **changes: Any) -> Value:
    return FACTS[fact].read(a_subject(**{"coverage": SEEN, **changes}))


def an_event(kind: AuditKind, **changes: Any) -> AuditEvent:
    fields = {"subject_id": "key_1", "at": ago(days=10), "actor": "ada@example.com", "scopes": None}
    return AuditEvent(kind=kind, **{**fields, **changes})


CREATED = an_event(AuditKind.KEY_CREATED, scopes=())
RESTRICTED = an_event(AuditKind.KEY_UPDATED, at=ago(days=3), scopes=("b.read", "a.read"))
PROLONGED = an_event(AuditKind.KEY_UPDATED, at=ago(days=2))
USE = KeyUse(key_id="key_1", requests=7, last_day=TODAY - timedelta(days=5))


@pytest.mark.parametrize(
    ("fact", "changes", "value"),
    [
        ("usage.requests", {}, 0),
        ("usage.requests", {"uses": (USE,)}, 7),
        (
            "usage.cost_usd",
            {"costs": (KeyCost(key_id="key_1", usd=Decimal("12.6")),)},
            Decimal("12.6"),
        ),
        ("created_by", {"events": (CREATED,)}, "ada@example.com"),
        ("scopes", {"events": (CREATED,)}, "all"),
        ("scopes", {"events": (PROLONGED, RESTRICTED, CREATED)}, "a.read b.read"),
        ("unchanged", {"events": (CREATED,)}, timedelta(days=10)),
        ("unchanged", {"events": (PROLONGED, RESTRICTED, CREATED)}, timedelta(days=2)),
        ("unchanged", {"events": (PROLONGED,)}, timedelta(days=2)),
        ("owner.created_by", {}, None),
        (
            "owner.created_by",
            {
                "keys": (a_key(owner=an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1")),),
                "events": (an_event(AuditKind.ACCOUNT_CREATED, subject_id="svc_1"),),
            },
            "ada@example.com",
        ),
    ],
)
def test_what_was_recorded_is_told(fact: str, changes: dict[str, Any], value: Value) -> None:
    assert read(fact, **changes) == value


@pytest.mark.parametrize("fact", ["created_by", "scopes", "unchanged"])
def test_a_creation_before_the_audit_log_begins_is_unknown(fact: str) -> None:
    unknown = read(fact)
    assert isinstance(unknown, Unknown)
    assert "the audit log" in unknown.reason


@pytest.mark.parametrize(
    ("fact", "collection"),
    [
        ("usage.requests", Collection.USAGE),
        ("usage.cost_usd", Collection.COSTS),
        ("created_by", Collection.AUDIT_LOGS),
        ("owner.created_by", Collection.AUDIT_LOGS),
    ],
)
def test_data_that_was_not_listed_or_not_requested_is_unknown(
    fact: str, collection: Collection
) -> None:
    """One failed usage endpoint of several suffices: a sum without it is not valid."""
    bot = (a_key(owner=an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1")),)
    refused = read(fact, keys=bot, coverage=(*SEEN, a_gap(collection)))
    assert isinstance(refused, Unknown)
    assert "could not be listed" in refused.reason
    unasked = read(fact, keys=bot, coverage=full_coverage("proj_1"))
    assert isinstance(unasked, Unknown)
    assert unasked.reason.startswith(f"{collection} were not ")


def test_usage_by_other_ids_is_unknown_for_the_listed_keys() -> None:
    strange = KeyUse(key_id="another-kind-of-id", requests=1, last_day=TODAY)
    unknown = read("usage.requests", uses=(strange,))
    assert isinstance(unknown, Unknown)
    assert "usage" in unknown.reason


@pytest.mark.parametrize(
    ("last_used_at", "uses", "used", "idle"),
    [
        (ago(days=1), (USE,), "yes (by last_used_at)", timedelta(days=1)),
        (ago(days=9), (USE,), "yes (by usage)", timedelta(days=4, hours=3)),
        (None, (USE,), "yes (by usage)", timedelta(days=4, hours=3)),
        (None, (), "no (by last_used_at and usage)", timedelta(days=10)),
        (Unknown(reason="not told"), (USE,), "yes (by usage)", timedelta(days=4, hours=3)),
        (
            None,
            (KeyUse(key_id="key_1", requests=1, last_day=TODAY),),
            "yes (by usage)",
            timedelta(),
        ),
    ],
)
def test_the_newest_evidence_of_use_counts_and_is_named(
    last_used_at: Any, uses: tuple[KeyUse, ...], used: str, idle: timedelta
) -> None:
    keys = (a_key(last_used_at=last_used_at),)
    text = """
policy: p
rules:
  - { id: r, title: t, severity: low, violated_when: { used: { known: true } }, why: w, fix: f }
"""
    inventory = an_inventory(keys=keys, uses=uses, coverage=SEEN)
    (finding,) = judge(inventory, [parse_policy(text, "p.yaml")], NOW).findings
    (row,) = finding.evidence
    assert (row.fact, row.observed, row.limit) == ("used", used, "known yes")
    assert read("idle", keys=keys, uses=uses) == idle


def test_without_usage_a_key_is_judged_as_before_and_no_source_is_named() -> None:
    changes = {"keys": (a_key(last_used_at=None),), "coverage": full_coverage("proj_1")}
    assert read("used", **changes) is False
    fact = FACTS["used"]
    assert fact.note is not None
    assert fact.note(a_subject(**changes)) == ""


def test_refused_usage_leaves_the_keys_own_word_standing() -> None:
    gap = a_gap(Collection.USAGE, state=CoverageState.PARTIAL)
    assert read("used", coverage=(*SEEN, gap)) is True


def test_a_use_seen_in_part_of_the_usage_is_a_use_but_need_not_be_the_last() -> None:
    untold = Unknown(reason="the API did not give last_used_at")
    gap = a_gap(Collection.USAGE)
    changes = {
        "keys": (a_key(last_used_at=untold),),
        "uses": (USE,),
        "coverage": (*SEEN, gap),
    }
    assert read("used", **changes) is True
    assert read("idle", **changes) == untold


def decided(fact: str, test: str, **changes: Any) -> set[str]:
    text = f"""
policy: p
rules:
  - {{ id: r, title: t, severity: low, violated_when: {{ {fact}: {test} }}, why: w, fix: f }}
"""
    inventory = an_inventory(**{"coverage": SEEN, **changes})
    findings = judge(inventory, [parse_policy(text, "p.yaml")], NOW).findings
    return {finding.outcome.value for finding in findings}


@pytest.mark.parametrize(
    ("test", "outcomes"),
    [
        ("{ over: 6 }", {"violated"}),
        ("{ over: 7 }", {"undetermined"}),
        ("{ at_least: 7 }", {"violated"}),
        ("{ at_least: 8 }", {"undetermined"}),
        ("{ under: 7 }", set()),
        ("{ under: 8 }", {"undetermined"}),
        ("{ at_most: 6 }", set()),
        ("{ at_most: 7 }", {"undetermined"}),
        ("6", set()),
        ("7", {"undetermined"}),
        ("{ not: 6 }", {"violated"}),
        ("[5, 6]", set()),
        ("[5, 7]", {"undetermined"}),
        ("{ none_of: [5, 6] }", {"violated"}),
        ("{ known: true }", set()),
    ],
)
def test_a_partial_sum_decides_what_no_further_part_can_change(
    test: str, outcomes: set[str]
) -> None:
    """The same for usage, costs and counts of keys."""
    gap = a_gap(Collection.USAGE)
    assert decided("usage.requests", test, uses=(USE,), coverage=(*SEEN, gap)) == outcomes
    gap, cost = a_gap(Collection.COSTS), KeyCost(key_id="key_1", usd=Decimal(7))
    assert decided("usage.cost_usd", test, costs=(cost,), coverage=(*SEEN, gap)) == outcomes
    gap = a_gap(Collection.PROJECT_KEYS, project_id="proj_1")
    keys = tuple(a_key(id=f"key_{number}") for number in range(7))
    assert decided("project.keys", test, keys=keys, coverage=(*SEEN, gap)) == outcomes


def test_a_partial_sum_shows_what_was_collected_and_why_not_more() -> None:
    gap = a_gap(Collection.USAGE)
    value = read("usage.requests", uses=(USE,), coverage=(*SEEN, gap))
    assert isinstance(value, Unknown)
    assert value.at_least == 7
    assert "could not be listed" in value.reason


def test_a_part_of_nothing_decides_nothing() -> None:
    gap = a_gap(Collection.USAGE)
    assert decided("usage.requests", "{ over: 0 }", coverage=(*SEEN, gap)) == {"undetermined"}


@given(st.lists(st.integers(0, 10_000), max_size=8), st.integers(0, 40_000), st.integers(0, 40_000))
def test_what_a_partial_sum_decides_holds_for_every_whole(
    parts: list[int], rest: int, limit: int
) -> None:
    part, whole = sum(parts), sum(parts) + rest
    for op in sorted(OPERATORS[FactType.NUMBER] - {Operator.KNOWN}):
        limits = (limit,) if op in MANY else limit
        test = column_test(op, limits)
        sure = test(Column([Unknown(reason="gap", at_least=part)]))
        true = test(Column([whole]))
        assert sure.true & true.false == sure.false & true.true == 0


@pytest.mark.parametrize(
    ("usd", "test", "outcomes"),
    [
        ("100.4", "{ over: 100 }", {"violated"}),
        ("100.4", "{ over: 100.40 }", set()),
        ("0.4", "{ over: 0 }", {"violated"}),
        ("0.004", "{ over: 0 }", {"violated"}),
        ("0.50", "{ over: 0.5 }", set()),
        ("0.51", "{ over: 0.5 }", {"violated"}),
        ("99.9", "{ under: 100 }", {"violated"}),
        ("99.6", "100", set()),
    ],
)
def test_costs_are_compared_with_their_cents(usd: str, test: str, outcomes: set[str]) -> None:
    cost = KeyCost(key_id="key_1", usd=Decimal(usd))
    assert decided("usage.cost_usd", test, costs=(cost,)) == outcomes


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        (timedelta(days=3), timedelta(days=3)),
        (timedelta(days=10, minutes=5), timedelta(days=10)),
        (timedelta(days=300), None),
    ],
)
@pytest.mark.parametrize("kind", [AuditKind.KEY_CREATED, AuditKind.KEY_UPDATED])
def test_a_key_is_not_unchanged_for_longer_than_it_exists(
    kind: AuditKind, changed: timedelta, value: timedelta | None
) -> None:
    key, event = a_key(created_at=ago(days=10)), an_event(kind, at=NOW - changed)
    found = read("unchanged", keys=(key,), events=(event,))
    assert (None if isinstance(found, Unknown) else found) == value


GONE = {
    "keys": (a_key(project_access=ProjectAccess.INACTIVE),),
    "users": (),
}
"""The key was used a day ago, and its owner left."""


def deleted(**ago_: float) -> AuditEvent:
    return an_event(AuditKind.USER_DELETED, subject_id="user-1", at=ago(**ago_))


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"events": (deleted(days=2),)}, True),
        ({"events": (deleted(hours=2),)}, False),
        ({"events": (deleted(hours=2), deleted(days=5))}, False),
        ({"absent_since": (("user-1", ago(days=2)),)}, True),
        ({"absent_since": (("user-1", ago(hours=2)),)}, False),
        ({"absent_since": (("user-2", ago(days=2)),)}, None),
        ({"events": (deleted(hours=2),), "absent_since": (("user-1", ago(days=2)),)}, False),
        ({"events": (deleted(days=300),)}, None),
        ({"absent_since": (("user-1", ago(days=300)),)}, None),
        ({"events": (deleted(days=300),), "absent_since": (("user-1", ago(days=2)),)}, True),
        ({}, None),
    ],
)
def test_use_after_the_owner_left_is_proven_by_the_log_or_by_earlier_scans(
    changes: dict[str, Any], *, value: bool | None
) -> None:
    found = read("used_since_owner_left", **GONE, **changes)
    assert (None if isinstance(found, Unknown) else found) is value


@pytest.mark.parametrize(
    ("last_day", "value"),
    [(TODAY, True), (TODAY - timedelta(days=1), None), (TODAY - timedelta(days=2), False)],
)
def test_a_day_of_usage_proves_a_use_only_if_all_of_it_was_after_the_departure(
    last_day: datetime, *, value: bool | None
) -> None:
    key = a_key(project_access=ProjectAccess.INACTIVE, last_used_at=None)
    uses = (KeyUse(key_id="key_1", requests=1, last_day=last_day),)
    found = read(
        "used_since_owner_left", keys=(key,), users=(), uses=uses, events=(deleted(hours=12),)
    )
    assert (None if isinstance(found, Unknown) else found) is value


def test_of_an_owner_who_did_not_leave_it_is_absent() -> None:
    assert read("used_since_owner_left", events=(deleted(days=2),)) is None


@pytest.mark.parametrize(
    ("events", "severity"),
    [((), "high"), ((deleted(hours=2),), "high"), ((deleted(days=2),), "critical")],
)
def test_a_key_of_someone_who_left_is_critical_only_with_proof_of_use(
    events: tuple[AuditEvent, ...], severity: str
) -> None:
    policies = load_policies(["offboarding"])
    inventory = an_inventory(**GONE, events=events)
    findings = judge(inventory, policies, NOW).findings
    (finding,) = [one for one in findings if one.rule.id == "owner-left-org"]
    assert finding.severity.value == severity
    shown = {row.fact for row in finding.evidence}
    assert ("used_since_owner_left" in shown) is (severity == "critical")


@pytest.mark.parametrize("name", ["offboarding", "baseline", "strict"])
def test_neither_usage_nor_the_audit_log_is_requested_for_it(name: str) -> None:
    plan = make_plan(load_policies([name]))
    assert not plan.asks_for(Collection.AUDIT_LOGS)
    assert not plan.asks_for(Collection.USAGE)
