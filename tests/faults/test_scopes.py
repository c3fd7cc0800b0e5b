"""A key that lacks a scope: what rests on it is unknown, the rest is judged, the scan exits 3."""

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
def test_what_rests_on_a_missing_scope_is_undetermined_and_nothing_else(
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
    assert "Coverage: incomplete." in ran.out
    by_rule = {rule["id"]: rule for rule in parsed["rules"]}
    for rule in by_rule.values():
        is_open = rule["id"] in open_rules
        assert (rule["undetermined"] > 0) is is_open, rule
        assert rule["violated"] == 0 or not is_open, rule
    assert by_rule["old"]["violated"] > 0


def test_without_the_management_scope_there_is_nothing_to_judge_and_the_scope_is_named() -> None:
    with sandbox("--deny", "api.management.read") as settings:
        ran = keyvigil("scan", env=settings)
    assert ran.code == 3
    assert "Missing scopes: api.management.read" in ran.err
    assert ran.out == ""


def test_what_is_switched_off_is_undetermined_but_no_gap(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(POLICY)
    with sandbox("--projects", "3", "--deny", "api.usage.read") as settings:
        ran = keyvigil(
            *("scan", "--policy", tmp_path / "mine.yaml", "--skip", "usage", "--skip", "costs"),
            env=settings,
        )
    assert ran.code == 0, ran.out
    assert "Undetermined: busy" in ran.out
    assert "Coverage: complete." in ran.out
