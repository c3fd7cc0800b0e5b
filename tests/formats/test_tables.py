"""CSV, JSON lines and Markdown: read by readers that none of us wrote, and nothing obeyed."""

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from scanner.formats import markdown_report
from scanner.formats.csv_report import COLUMNS, render_csv
from scanner.formats.json_report import render_json
from scanner.formats.jsonl_report import render_jsonl
from scanner.formats.markdown_report import render_markdown
from scanner.result import ScanResult
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    a_project,
    a_remembered_result,
    a_result,
    ago,
    an_inventory,
    an_owner,
)

RESULTS = [a_remembered_result(), a_result(), a_result(an_inventory())]
HOSTILE = (
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@everyone",
    "\t=1",
    "\r\n,a",
    'a "b", c; d',
    "a | b",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://example.com/x.png)",
    "# heading",
    "`code` **bold** ~~gone~~",
    "see https://example.com and www.example.com",
    "cc @security-team",
    "&lt;b&gt;",
    "\\| \\",
    "\u202e\u2028\x1b[31m\x00",
)


def table(result: ScanResult) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(result), newline=""), strict=True))


def lines(result: ScanResult) -> list[Any]:
    return [json.loads(line) for line in render_jsonl(result).splitlines()]


def named(name: str) -> ScanResult:
    key = a_key(id="key_1", name=name, created_at=ago(days=100), owner=an_owner(name=name))
    return a_result(an_inventory(keys=(key,), projects=(a_project(name=name),)))


@pytest.mark.parametrize("result", RESULTS)
def test_every_format_has_the_same_findings(result: ScanResult) -> None:
    findings = json.loads(render_json(result))["findings"]
    expected = [(f["fingerprint"], f["outcome"], f["severity"], f["state"]) for f in findings]
    rows = [row for row in table(result) if row["fingerprint"]]
    assert [
        (row["fingerprint"], row["outcome"], row["severity"], row["state"] or None) for row in rows
    ] == expected
    said = [line for line in lines(result) if line["type"] == "finding"]
    assert [(f["fingerprint"], f["outcome"], f["severity"], f["state"]) for f in said] == expected
    markdown = render_markdown(result)
    shown = [f for f in findings if f["outcome"] != "excepted"]
    assert len(re.findall(r" key\\_\w+ \|", markdown)) == len(shown)


def test_a_csv_row_tells_what_there_is_to_know_of_a_finding() -> None:
    row = table(a_result(an_inventory(keys=(a_key(created_at=ago(days=100), expires_at=None),))))[0]
    assert tuple(row) == COLUMNS
    assert row["rule"] == "key-too-old"
    assert row["evidence"] == "age 100d (over 90d)"
    assert (row["created_at"], row["expires_at"]) == (ago(days=100).isoformat(), "never")
    assert (row["owner_email"], row["owner_state"]) == ("ada@example.com", "active")
    assert (row["scan_started_at"], row["scan_complete"]) == (NOW.isoformat(), "yes")


def test_what_was_not_told_is_unknown_and_not_never() -> None:
    untold = [row for row in table(a_result()) if row["key_id"] == "key_untold"]
    assert {row["expires_at"] for row in untold} == {"unknown"}


def test_an_incomplete_scan_is_no_clean_table() -> None:
    inventory = an_inventory()
    gap = a_gap(inventory.coverage[0].collection)
    result = a_result(replace(inventory, coverage=(gap, *inventory.coverage[1:])))
    assert not result.violations
    (row,) = (row for row in table(result) if row["outcome"] == "unseen")
    assert "403: Missing scopes" in row["evidence"]
    assert row["scan_complete"] == "no"
    assert lines(result)[0]["scan"]["complete"] is False
    assert "**This scan is incomplete.**" in render_markdown(result)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_and_never_obeyed(name: str) -> None:
    result = named(name)
    for row in table(result):
        assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert lines(result)[1]["key"]["name"] == name
    html = MarkdownIt("gfm-like", {"linkify": False}).render(render_markdown(result))
    without = re.sub(r"<!-- -->", "", html)
    assert set(re.findall(r"<([a-z0-9]+)", without)) <= {
        *("h1", "h2", "p", "strong", "table", "thead", "tbody", "tr", "th", "td")
    }
    assert without.count("<h1>") == 1


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_name_keeps_every_table_in_shape(name: str) -> None:
    result = named(name)
    assert {len(row) for row in table(result)} == {len(COLUMNS)}
    assert len(lines(result)) == 1 + len(result.findings)
    rows = [line for line in render_markdown(result).splitlines() if line.startswith("|")]
    html = MarkdownIt("gfm-like", {"linkify": False}).render(render_markdown(result))
    assert html.count("<tr>") == len(rows) - html.count("<table>")


def test_a_summary_that_would_be_too_large_says_that_it_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(markdown_report, "LIMIT", 2500)
    keys = tuple(a_key(id=f"key_{n}", created_at=ago(days=100)) for n in range(200))
    markdown = render_markdown(a_result(an_inventory(keys=keys)))
    assert len(markdown.encode()) <= 2500
    assert "**Truncated at the size limit" in markdown
