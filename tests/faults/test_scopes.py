"""A key without a scope: rules that need it are undetermined, and the scan exits with 3."""

import json
from pathlib import Path

import pytest

from tests.cli.running import keyvigil, sandbox

pytestmark = pytest.mark.slow

POLICY = """\
policy: mine
rules:
  - { id: old, title: t, severity: low, violated_when: { age: { over: 90d } }, why: w, fix: f }
  - { id: busy, title: t, severity: low, violated_when: { usage.requests: 9 }, why: w, fix: f }
  - { id: dear, title: t, severity: low, violated_when: { usage.cost_usd: 9 }, why: w, fix: f }
  - { id: wide, title: t, severity: low, violated_when: { scopes: all }, why: w, fix: f }
  - { id: left, title: t, severity: low, violated_when: { owner.state: left_org }, why: w, fix: f }
"""


@pytest.mark.parametrize(
    ("denied", "gaps", "open_rules"),
    [
        ("api.usage.read", {"usage", "costs"}, {"busy", "dear"}),
        ("api.audit_logs.read", {"audit_logs"}, {"wide"}),
        ("users", {"users"}, {"left"}),
    ],
)
def test_only_rules_that_need_a_missing_scope_are_undetermined(
    tmp_path: Path, denied: str, gaps: set[str], open_rules: set[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(POLICY)
    report = tmp_path / "report.json"
    arguments = ("scan", "--policy", tmp_path / "mine.yaml", "--output", f"json={report}")
    with sandbox("--projects", "6", "--keys-per-project", "30", "--deny", denied) as settings:
        ran = keyvigil(*arguments, env=settings)
    parsed = json.loads(report.read_text())
    rows = parsed["scan"]["coverage"]
    assert ran.code == 3
    assert {row["collection"] for row in rows if row["state"] != "complete"} == gaps
    assert parsed["scan"]["complete"] is False
    by_rule = {rule["id"]: rule for rule in parsed["rules"]}
    for rule in by_rule.values():
        is_open = rule["id"] in open_rules
        assert (rule["undetermined"] > 0) is is_open, rule
        assert rule["violated"] == 0 or not is_open, rule
    assert by_rule["old"]["violated"] > 0


def test_without_the_management_scope_the_scan_fails_and_names_the_scope() -> None:
    with sandbox("--deny", "api.management.read") as settings:
        ran = keyvigil("scan", env=settings)
    assert ran.code == 3
    assert "Missing scopes: api.management.read" in ran.err
    assert ran.out == ""


def test_a_disabled_listing_is_undetermined_but_not_a_gap(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(POLICY)
    report = tmp_path / "report.json"
    arguments = ("scan", "--policy", tmp_path / "mine.yaml", "--output", f"json={report}")
    with sandbox("--projects", "3", "--deny", "api.usage.read") as settings:
        ran = keyvigil(*arguments, "--skip", "usage", "--skip", "costs", env=settings)
    assert ran.code == 0, ran.out
    parsed = json.loads(report.read_text())
    assert parsed["scan"]["complete"] is True
    assert {rule["id"] for rule in parsed["rules"] if rule["undetermined"]} == {"busy", "dear"}
