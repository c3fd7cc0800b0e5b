"""What a key did, and who made it: the newest evidence counts, and what was not seen is unknown."""

from datetime import timedelta
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.inventory import (
    AuditEvent,
    AuditKind,
    CoverageState,
    KeyCost,
    KeyUse,
    OwnerKind,
    Unknown,
)
from scanner.judge import judge
from scanner.policy.facts import FACTS
from scanner.policy.parse import parse_policy
from scanner.policy.registry import Value
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
        ("usage.cost_usd", {"costs": (KeyCost(key_id="key_1", usd=12.6),)}, 13),
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
def test_what_the_audit_log_does_not_reach_back_to_is_unknown(fact: str) -> None:
    assert read(fact) == Unknown(reason="the audit log does not hold its creation")


@pytest.mark.parametrize(
    ("fact", "collection"),
    [
        ("usage.requests", Collection.USAGE),
        ("usage.cost_usd", Collection.COSTS),
        ("created_by", Collection.AUDIT_LOGS),
        ("owner.created_by", Collection.AUDIT_LOGS),
    ],
)
def test_what_could_not_be_listed_or_was_not_asked_for_is_unknown(
    fact: str, collection: Collection
) -> None:
    """One of several usage endpoints that fails is enough: a sum without it is none."""
    bot = (a_key(owner=an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1")),)
    refused = read(fact, keys=bot, coverage=(*SEEN, a_gap(collection)))
    assert isinstance(refused, Unknown)
    assert "could not be listed" in refused.reason
    unasked = read(fact, keys=bot, coverage=full_coverage("proj_1"))
    assert unasked == Unknown(reason=f"{collection} were not asked for")


def test_usage_that_speaks_of_other_ids_tells_nothing_about_our_keys() -> None:
    strange = KeyUse(key_id="another-kind-of-id", requests=1, last_day=TODAY)
    assert read("usage.requests", uses=(strange,)) == Unknown(
        reason="the ids that usage speak of are those of no key"
    )


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
