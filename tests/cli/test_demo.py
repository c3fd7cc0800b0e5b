"""The demo's stories are all found, and none is invented."""

import json
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
    clean = [f for f in report["findings"] if (f["project"] or {}).get("name") == "support-copilot"]
    assert clean == []
    assert report["totals"]["keys"] == 13


def test_a_second_run_replaces_the_report(tmp_path: Path) -> None:
    for _ in range(2):
        assert keyvigil("demo", "--out", tmp_path / "there").code == 0
    assert sorted(entry.name for entry in (tmp_path / "there").iterdir()) == [
        "report.html",
        "report.json",
    ]
