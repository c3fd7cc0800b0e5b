import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from scanner.formats.json_report import render_json, report_schema
from tests.conftest import ROOT, golden
from tests.factories import a_result, an_inventory

HERE = Path(__file__).parent


def report() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render_json(a_result()))
    return parsed


def test_the_report_is_what_it_always_was() -> None:
    golden(HERE / "golden" / "report.json", render_json(a_result()))


def test_the_published_schema_is_the_schema() -> None:
    text = json.dumps(report_schema(), indent=2) + "\n"
    golden(ROOT / "docs" / "report.schema.json", text)


def test_reports_keep_the_schema() -> None:
    validator = Draft202012Validator(report_schema())
    validator.validate(report())
    validator.validate(json.loads(render_json(a_result(an_inventory()))))


def test_the_figures_agree_with_the_findings() -> None:
    parsed = report()
    findings = parsed["findings"]
    violated = [finding for finding in findings if finding["outcome"] == "violated"]
    totals = parsed["totals"]
    assert sum(totals["by_severity"].values()) == len(violated)
    assert totals["undetermined"] == len(findings) - len(violated)
    assert totals["keys_violating"] == len({finding["key"]["id"] for finding in violated})
    for rule in parsed["rules"]:
        outcomes = [f["outcome"] for f in findings if f["rule"] == rule["id"]]
        assert rule["violated"] == outcomes.count("violated")
        assert rule["undetermined"] == outcomes.count("undetermined")
        assert rule["applied"] >= len(outcomes)
    assert {f["rule"] for f in findings} <= {rule["id"] for rule in parsed["rules"]}
    assert len({finding["fingerprint"] for finding in findings}) == len(findings)


def test_hostile_text_is_plain_ascii_and_comes_back_whole() -> None:
    text = render_json(a_result())
    assert text.isascii()
    assert not set(text) & {chr(code) for code in (*range(32), 127)} - {"\n"}
    assert any(f["key"]["name"] == "\x1b[31mred\u202e\x7f" for f in report()["findings"])
