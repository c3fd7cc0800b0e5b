"""What a scan takes from its history: who left and since when, and the scan before."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from scanner.inventory import Inventory, ProjectAccess
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import compared, gone_by_history, scan, with_departures
from tests.factories import NOW, Remembered, a_key, ago, an_inventory

TODAY, FUTURE = ago(hours=9), NOW + timedelta(days=365)


def gone(used_at: datetime, **changes: Any) -> Inventory:
    key = a_key(last_used_at=used_at, project_access=ProjectAccess.INACTIVE)
    return an_inventory(**{"keys": (key,), "users": (), **changes})


def night(
    store: Remembered, inventory: Inventory, moment: datetime, *policies: Policy
) -> ScanResult:
    definitions = gone_by_history(policies)
    known = with_departures(inventory, store.cases("Acme", ()), definitions)
    result = compared(scan(lambda: known, policies, moment, lambda: moment), store, "Acme")
    assert result.history
    store.remember(result.history)
    return result


def severities(result: ScanResult) -> list[str]:
    return [f.severity.value for f in result.violations if f.rule.id == "owner-left-org"]


@pytest.mark.parametrize(
    ("used_at", "severity"), [(ago(days=4), "high"), (ago(days=1), "critical")]
)
def test_a_use_after_the_first_scan_that_found_the_owner_gone_is_proof(
    used_at: datetime, severity: str
) -> None:
    store, policies = Remembered(), load_policies(["offboarding"])
    first = night(store, gone(ago(days=4)), ago(days=3), *policies)
    assert severities(first) == ["high"]
    assert severities(night(store, gone(used_at), NOW, *policies)) == [severity]


def test_a_finding_that_another_state_may_have_opened_proves_no_departure() -> None:
    text = """
policy: p
rules:
  - id: gone
    title: t
    severity: low
    severity_when: { high: { used_since_owner_left: true } }
    violated_when: { owner.state: [left_org, no_project_access] }
    why: w
    fix: f
"""
    policy = parse_policy(text, "p.yaml")
    assert gone_by_history([policy]) == {}
    store = Remembered()
    night(store, gone(ago(days=4)), ago(days=3), policy)
    result = night(store, gone(ago(days=1)), NOW, policy)
    assert [finding.severity.value for finding in result.violations] == ["low"]


@pytest.mark.parametrize(
    ("clock_ahead", "previous"),
    [(timedelta(), TODAY), (timedelta(days=-9), FUTURE), (None, FUTURE)],
)
def test_a_scan_in_the_future_is_not_the_one_before_under_a_verified_clock(
    clock_ahead: timedelta | None, previous: datetime
) -> None:
    store = Remembered()
    result: ScanResult | None = None
    for at, ahead in ((TODAY, timedelta()), (FUTURE, timedelta(days=365)), (NOW, clock_ahead)):
        scanned = scan(partial(an_inventory, clock_ahead=ahead), [], at, lambda: NOW)
        result = compared(scanned, store, "Acme")
        assert result.history
        store.remember(result.history)
    assert result
    assert result.history
    assert result.history.previous
    assert result.history.previous.started_at == previous
