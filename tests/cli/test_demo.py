"""The demo's stories are all found, and none is invented."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import keyvigil

pytestmark = pytest.mark.slow

STORIES = {
    ("admin-key-too-old", "terraform (2024)"),
    ("key-in-archived-project", "demo day"),
    ("key-never-used", "try-out"),
    ("key-too-old", "checkout production"),
    ("key-unused", "embeddings backfill"),
    ("key-unused", "terraform (2024)"),
    ("key-without-expiry", "checkout production"),
    ("key-without-expiry", "terraform (2024)"),
    ("owner-disabled", "omar-laptop"),
    ("owner-left-org", "notebook"),
    ("owner-lost-project-access", "eval runs"),
    ("service-account-missing", "price sync"),
}


def test_the_demo_tells_its_stories_and_no_other(tmp_path: Path) -> None:
    ran = keyvigil("demo", cwd=tmp_path)
    assert ran.code == 0
    assert "out/demo/report.html" in ran.out
    report = json.loads((tmp_path / "out" / "demo" / "report.json").read_text())
    found = [(finding["rule"], finding["key"]["name"]) for finding in report["findings"]]
    assert sorted(found) == sorted(STORIES)
    assert {finding["outcome"] for finding in report["findings"]} == {"violated"}
    assert report["scan"]["complete"] is True
    projects = {key["project"]["name"] for key in report["keys"] if key["project"]}
    assert "checkout-assistant" in projects
    assert "support-copilot" not in projects
    assert report["totals"]["keys"] == 14


def test_a_second_run_replaces_the_report(tmp_path: Path) -> None:
    for _ in range(2):
        assert keyvigil("demo", "--out", tmp_path / "there").code == 0
    assert sorted(entry.name for entry in (tmp_path / "there").iterdir()) == [
        "demo-history.db",
        "demo-policy.yaml",
        "demo.yaml",
        "report.html",
        "report.json",
    ]


def test_the_demo_tells_what_changed_in_fourteen_nights(tmp_path: Path) -> None:
    ran = keyvigil("demo", "--out", tmp_path)
    assert ran.code == 0
    told = [line.split(" violations")[1].strip() for line in ran.out.splitlines()[:13]]
    assert [change for change in told if change] == [
        "7 new",
        "2 new",
        "1 new",
        "1 escalated, 2 resolved (2 owner restored)",
        *["1 new"] * 4,
    ]
    assert "1 new, 1 resolved (1 key rotated)." in ran.out
    history = json.loads((tmp_path / "report.json").read_text())["history"]
    opened = "".join(str(night["opened"]) for night in history["scans"])
    assert opened == "70021011110001"
    assert [(r["key_name"], r["resolution"]) for r in history["resolved"]] == [
        ("batch (old)", "key_rotated")
    ]
    listed = keyvigil("history", "--store", tmp_path / "demo-history.db", "--json")
    assert len(json.loads(listed.out)) == 14


def test_the_demo_shows_a_plan_and_revokes_only_where_it_is_asked_to(tmp_path: Path) -> None:
    planned = keyvigil("demo", "--out", tmp_path / "a")
    (line,) = (line for line in planned.out.splitlines() if line.startswith("Revocation (plan"))
    assert re.findall(r"\d+", line) == ["1", "1", "3"]
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert [act["key_id"] for act in report["revocation"]["actions"]] == []
    (due,) = report["revocation"]["due"]
    settings = tmp_path / "a" / "demo.yaml"
    assert f"revoke plan --config {settings}" in planned.out
    again = keyvigil("revoke", "plan", "--config", settings, env={"KEYVIGIL_STORE": ""})
    assert (again.code, again.err) == (0, "")
    headings = [line for line in again.out.splitlines() if not line.startswith(" ")]
    assert [re.findall(r"\d+", one) for one in headings] == [["1"], ["1"], ["3"]]
    assert f"  {due['key_id']}  try-out in research" in again.out


def test_an_enforced_demo_has_receipts(tmp_path: Path) -> None:
    ran = keyvigil("demo", "--out", tmp_path, "--enforce")
    assert ran.code == 0
    (line,) = (line for line in ran.out.splitlines() if line.startswith("Revocation (enforce)"))
    assert re.findall(r"\d+", line) == ["1", "1", "3"]
    report = json.loads((tmp_path / "report.json").read_text())
    (act,) = report["revocation"]["actions"]
    assert act["result"] == "done"
    assert ran.out.count(f"(receipt {act['receipt']})") == 2
    history = ("--store", tmp_path / "demo-history.db")
    assert act["receipt"] in keyvigil("revoke", "journal", *history).out
    assert "2 entries" in keyvigil("revoke", "journal", *history, "verify").out
