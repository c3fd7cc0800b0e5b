"""Remediation plans for tests: a scan with an old key, and the notices that were delivered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from scanner.collection import Collection
from scanner.finding import Finding
from scanner.guards import Known
from scanner.inventory import AuditEvent, AuditKind, Inventory, Key, Unknown
from scanner.policy.model import Policy, Response
from scanner.policy.parse import parse_policy
from scanner.receipt import Act, Intent, Outcome, Result
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.result import ScanResult
from scanner.revocation import UNTOLD as _UNTOLD
from scanner.revocation import Bounds, Method, Plan, Promise, Told
from scanner.scan import compared, scan
from tests.factories import (
    NOW,
    Remembered,
    a_key,
    a_listing,
    a_project,
    ago,
    an_inventory,
    full_coverage,
)

RULE = """
  - id: {id}
    title: T
    severity: high
    violated_when: {when}
    respond: {{ revoke: {method}, after: {after} }}
    why: W
    fix: F
"""


OLD = "{ age: { over: 90d } }"


WIDE = Bounds(max_keys=1000, max_percent=100)


IDLE = ago(days=40)


TOLD = ago(days=19)


SEEN = (
    *full_coverage("proj_1", "proj_2"),
    *(a_listing(one) for one in (Collection.USAGE, Collection.COSTS, Collection.AUDIT_LOGS)),
)


def a_policy(when: str = OLD, method: str = "expire", after: str = "14d", more: str = "") -> Policy:
    rule = RULE.format(id="old", when=when, method=method, after=after)
    return parse_policy(f"policy: mine\nrules:{rule}{more}", "p.yaml")


def old(**changes: Any) -> Key:
    return a_key(**{"created_at": ago(days=200), "last_used_at": IDLE, **changes})


def seen(*keys: Key, **changes: Any) -> Inventory:
    projects = (a_project(), a_project(id="proj_2", name="shop"))
    as_seen = {"keys": keys, "projects": projects, "coverage": SEEN, "clock_ahead": timedelta()}
    return an_inventory(**{**as_seen, **changes})


def scanned(inventory: Inventory, policies: Sequence[Policy]) -> ScanResult:
    """Return the second of two scans: the findings were opened twenty days ago."""
    store = Remembered()
    result: ScanResult | None = None
    for moment in (ago(days=20), NOW):
        done = scan(lambda: inventory, policies, moment, lambda: NOW)
        result = compared(done, store, "Acme")
        assert result.history
        store.remember(result.history)
    assert result
    return result


def promised(
    finding: Finding, policies: Sequence[Policy], bounds: Bounds, told: datetime, heard: datetime
) -> Told:
    """Return a delivered notice with the method and grace period of the rule."""
    rules = {rule.text.id: rule for policy in policies for rule in policy.rules}
    rule = rules[finding.rule.id]
    asked = rule.respond or Response(revoke=Method.DELETE, after=timedelta())
    promise = Promise(bounds.mode, asked.revoke, asked.after, bounds.expire_in, rule.definition)
    return Told(told, heard, promise)


def planned(
    inventory: Inventory,
    *policies: Policy,
    bounds: Bounds = WIDE,
    told: datetime | None = TOLD,
    heard: datetime | None = None,
    **known: Any,
) -> Plan:
    result = scanned(inventory, policies or [a_policy()])
    policies = policies or (a_policy(),)
    announced = {
        f.fingerprint: promised(f, policies, bounds, told, heard or max(told, ago(days=1)))
        for f in result.findings
        if told
    }
    scene = Scene(
        result=result,
        inventory=inventory,
        policies=policies,
        bounds=bounds,
        known=Known(announced=announced, **known),
    )
    return make_plan_of_revocation(scene)


def due(plan: Plan) -> list[tuple[str, Method]]:
    return [(action.key_id, action.method) for action in plan.due]


def reasons(plan: Plan) -> list[tuple[str, ...]]:
    return [held.reasons for held in plan.held]


UNTOLD = Unknown(reason="the API did not say")


UNTOLD_YET = _UNTOLD


def allowed(key_id: str, *scopes: str) -> AuditEvent:
    """Return the event that created a key with these scopes; no scopes: all permissions."""
    return AuditEvent(
        kind=AuditKind.KEY_CREATED, subject_id=key_id, at=ago(days=200), actor=None, scopes=scopes
    )


def an_intent(**changes: Any) -> Intent:
    """Return the intent to let an old key expire within seven days."""
    intent = Intent(
        receipt="r1",
        organization="Acme",
        at=ago(days=3),
        by="cron",
        method=Method.EXPIRE,
        key_id="key_1",
        key_name="a key",
        redacted_value="sk-proj-abcd...wxyz",
        project_id="proj_1",
        project="chat",
        owner="ada@example.com",
        owner_email="ada@example.com",
        expires_in=7 * 86_400,
    )
    return replace(intent, **changes)


def an_act(result: Result | None, *, ends: datetime | None = None, **changes: Any) -> Act:
    """Return an intent and its outcome; `ends` is the new expiry of the key."""
    intent = an_intent(**changes)
    if result is None:
        return Act(intent, None)
    ended = Outcome(receipt=intent.receipt, at=intent.at, result=result, note="no", expires_at=ends)
    return Act(intent, ended)


def a_scene(*keys: Key, policy: Policy, **more: Any) -> Scene:
    """Return the data for a plan of these keys, with all notices delivered."""
    inventory = seen(*keys, **more)
    result = scanned(inventory, [policy])
    told = {f.fingerprint: promised(f, [policy], WIDE, TOLD, ago(days=1)) for f in result.findings}
    return Scene(
        result=result,
        inventory=inventory,
        policies=[policy],
        bounds=WIDE,
        known=Known(announced=told),
    )
