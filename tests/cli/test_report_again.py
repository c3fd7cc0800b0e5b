"""A scan's report does not change with later scans or policies."""

import hashlib
import json
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.cli.report import Wanted, recorded
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.snapshot import Snapshot, render_snapshot
from scanner.lifecycle import Resolution
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import compared, remember, scan
from scanner.store.history import SqlStore
from tests.factories import NOW, a_key, ago, an_inventory, an_owner
from tests.store.making import ACME, a_store

BASE = """\
policy: base
rules:
  - { id: endless, title: T, severity: low, why: W, fix: F, violated_when: { expires: false } }
"""
MINE = """\
policy: mine
extends: base.yaml
rules:
  - id: old
    title: Older than the limit of %(days)s days
    severity: %(severity)s
    violated_when: { age: { over: %(days)sd } }
    why: W
    fix: F
exceptions:
  - { rule: old, when: { key.id: key_%(excepted)s }, reason: R, owner: me@example.com,
      expires: 2026-07-05 }
"""
POLICIES = st.fixed_dictionaries(
    {
        "days": st.sampled_from([60, 90]),
        "severity": st.sampled_from(["high", "low"]),
        "excepted": st.integers(0, 4),
    }
)
SCANS = st.lists(
    st.tuples(POLICIES, st.sets(st.integers(0, 3), max_size=4), st.integers(0, 2)),
    min_size=2,
    max_size=6,
)


def scanned(
    store: SqlStore, policy: str | Path, keys: set[int], owner: int, day: int
) -> ScanResult:
    """Scan once and record it, as `keyvigil scan` does."""
    made = tuple(
        a_key(
            id=f"key_{number}",
            name=f"key {number} of {owner}",
            created_at=ago(days=50 + 15 * number),
            expires_at=None if number % 2 else NOW + timedelta(days=2),
            owner=an_owner(id=f"user-{owner}", email=f"u{owner}@example.com"),
        )
        for number in keys
    )
    at, inventory = NOW + timedelta(days=day), an_inventory(keys=made)
    done = scan(lambda: inventory, load_policies([str(policy)]), at, lambda: at)
    with store.hold(ACME) as lease:
        result = compared(done, store, ACME)
        snapshot = render_snapshot(Snapshot(taken_at=at, inventory=inventory))
        remember(result, store, lease, snapshot, policies=done.policies)
    return result


@settings(max_examples=12, deadline=None)
@given(SCANS)
def test_the_report_of_a_scan_does_not_change(
    scans: list[tuple[dict[str, object], set[int], int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, policy = f"{folder}/history.db", Path(folder) / "mine.yaml"
        (Path(folder) / "base.yaml").write_text(BASE)
        store, reports = a_store(place), list[tuple[str, str]]()
        for day, (values, keys, owner) in enumerate(scans):
            policy.write_text(MINE % values)
            result = scanned(store, policy, keys, owner, day)
            reports.append((result.id, render_json(result)))
        policy.unlink()
        for scan_id, report in reports:
            again = recorded(Wanted(name=scan_id, store=place)).result
            assert json.loads(render_json(again)) == json.loads(report)


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    return a_store(str(tmp_path / "history.db"))


def test_a_page_is_rendered_again_as_it_was(store: SqlStore) -> None:
    first = scanned(store, "baseline", {2, 3}, 0, 0)
    second = scanned(store, "baseline", {3}, 0, 1)
    scanned(store, "admin-keys", {2, 3}, 1, 2)
    for result in (first, second):
        again = recorded(Wanted(name=result.id, store=store.place)).result
        assert render_html(again) == render_html(result)


def test_resolutions_are_those_that_the_scan_reported(store: SqlStore, tmp_path: Path) -> None:
    """Resolved by a laxer policy, and reopened under it by a scan after that."""
    (tmp_path / "base.yaml").write_text(BASE)
    policy, values = tmp_path / "mine.yaml", {"severity": "high", "excepted": 9}
    results = []
    for day, days in ((0, 60), (1, 90), (20, 90)):
        policy.write_text(MINE % {**values, "days": days})
        results.append(scanned(store, policy, {2}, 0, day))
    for wanted in (None, [str(policy)]):
        again = recorded(Wanted(name=results[1].id, store=store.place, policies=wanted)).result
        assert again.history == results[1].history
        assert again.history
        (ended,) = (s.case.resolution for s in again.history.standings if s.case.resolved_at)
        assert ended is Resolution.POLICY_CHANGED
        assert again.history.mean_time_to_remediate is None


def test_the_recorded_policies_are_reported(store: SqlStore) -> None:
    result = scanned(store, "baseline", {2}, 0, 0)
    report = json.loads(render_json(recorded(Wanted(name=result.id, store=store.place)).result))
    policies = report["policies"]
    assert policies[0]["name"] == "baseline"
    assert {policy["version"] for policy in policies} == {report["tool"]["version"]}
    (night,) = store.nights(ACME, 1)
    assert {policy["digest"] for policy in policies} == {one.digest for one in night.sources}
    assert report["history"]["scans"][-1]["policies"] == policies
    for policy in policies:
        text = store.policy_texts(night)[policy["digest"]]
        assert hashlib.sha256(text.encode()).hexdigest() == policy["digest"]
