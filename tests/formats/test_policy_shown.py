"""Exceptions, disabled rules and severities that rise: the same in every output."""

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from scanner.cli.summary import print_summary
from scanner.collection import Collection
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json, report_schema
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import scan
from tests.factories import NOW, a_key, a_listing, ago, an_inventory, full_coverage
from tests.formats.test_html_report import Outline

POLICY = """\
policy: mine
extends: baseline
rules:
  - id: key-too-old
    severity: medium
    severity_when: { critical: { age: { over: 365d } } }
  - { id: key-without-expiry, disabled: true, reason: Ours <b>are</b> renewed }
exceptions:
  - { rule: key-too-old, when: { key.id: key_2 }, reason: Vendor & sons, owner: ann, ticket: S-1,
      expires: 2026-07-01 }
  - { rule: key-unused, when: { key.id: nothing }, reason: Typo, owner: bob, expires: 2030-01-01 }
  - { rule: key-too-old, when: { key.id: key_1 }, reason: Past, owner: cid, expires: 2026-06-30 }
"""


@pytest.fixture
def result(tmp_path: Path) -> ScanResult:
    (tmp_path / "mine.yaml").write_text(POLICY)
    usage = (Collection.USAGE, Collection.COSTS, Collection.AUDIT_LOGS)
    inventory = an_inventory(
        keys=(
            a_key(id="key_1", created_at=ago(days=91), expires_at=None),
            a_key(id="key_2", created_at=ago(days=91)),
            a_key(id="key_3", created_at=ago(days=400)),
        ),
        coverage=(*full_coverage("proj_1"), *(a_listing(collection) for collection in usage)),
    )
    policies = load_policies([str(tmp_path / "mine.yaml")])
    return scan(lambda: inventory, policies, NOW, lambda: NOW).result


def test_the_page_shows_them_and_no_id_stands_twice(result: ScanResult) -> None:
    html = render_html(result)
    page = Outline(html)
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    assert {f.fingerprint for f in result.findings} == {
        row["fingerprint"] for row in page.findings()
    }
    links = {attributes.get("href") or "" for tag, attributes in page.elements if tag == "a"}
    assert {f"#{name}" for name in ids} >= {link for link in links if "=" not in link}
    assert "#severity=critical" in links
    assert (
        "age over 90d; for live keys with key.kind is project; critical if age over 365d"
        in page.texts
    )
    for text in ("Vendor & sons", "Ours <b>are</b> renewed", "expired", "no findings", "Audit log"):
        assert text in page.texts


def test_the_json_report_tells_the_same(result: ScanResult) -> None:
    parsed = json.loads(render_json(result))
    Draft202012Validator(report_schema()).validate(parsed)
    assert parsed["totals"]["excepted"] == 1
    assert [(f["key"]["id"], f["severity"], f["outcome"]) for f in parsed["findings"]] == [
        ("key_3", "critical", "violated"),
        ("key_1", "medium", "violated"),
        ("key_2", "medium", "excepted"),
    ]
    assert parsed["findings"][2]["exception"] == {
        "reason": "Vendor & sons",
        "owner": "ann",
        "ticket": "S-1",
        "expires": "2026-07-01",
    }
    assert [(row["owner"], row["active"], row["excepted"]) for row in parsed["exceptions"]] == [
        ("ann", True, 1),
        ("bob", True, 0),
        ("cid", False, 0),
    ]
    (disabled,) = parsed["disabled_rules"]
    assert (disabled["id"], disabled["policy"]) == ("key-without-expiry", "mine")


def test_the_terminal_tells_the_same(result: ScanResult) -> None:
    shown = io.StringIO()
    print_summary(result, Console(file=shown, width=120), shows_all=True)
    text = shown.getvalue()
    assert "2 violations: 1 critical, 1 medium." in text
    assert "Excepted: 1 finding." in text
    assert ": the exception from key-unused, owner bob." in text
    assert "Expired on 2026-06-30: the exception from key-too-old, owner cid." in text
