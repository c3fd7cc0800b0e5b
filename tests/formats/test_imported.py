"""SARIF, JUnit, OCSF and text: each read by a reader that none of us wrote, and all agreed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft202012Validator
from junitparser import Error, Failure, JUnitXml
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from xmlschema import XMLSchema

from scanner.formats import sarif_report
from scanner.formats.junit_report import render_junit
from scanner.formats.ocsf_report import render_ocsf
from scanner.formats.registry import FORMATS, format_of
from scanner.formats.sarif_report import render_sarif
from scanner.formats.text_report import render_text
from scanner.lifecycle import State
from scanner.result import ScanResult
from tests.conftest import ROOT
from tests.factories import (
    a_key,
    a_mixed_inventory,
    a_remembered_result,
    a_result,
    ago,
    an_inventory,
    full_coverage,
)

OFFICIAL = Path(__file__).parent / "official"
SARIF = Draft4Validator(json.loads((OFFICIAL / "sarif-schema-2.1.0.json").read_text()))
OCSF = Draft202012Validator(
    json.loads((OFFICIAL / "ocsf-1.6.0-compliance-finding.json").read_text())
)
JUNIT = XMLSchema(OFFICIAL / "junit-10.xsd")


def sarif(result: ScanResult) -> Any:
    report = json.loads(render_sarif(result))
    SARIF.validate(report)
    return report["runs"][0]


def junit(result: ScanResult) -> list[tuple[Any, dict[str, str]]]:
    """Return each case, and what its output has on the finding."""
    document = render_junit(result).encode()
    JUNIT.validate(document)
    cases = [case for suite in JUnitXml.fromstring(document) for case in suite]
    return [
        (case, dict(line.split(": ", 1) for line in (case.system_out or "").splitlines()))
        for case in cases
    ]


def ocsf(result: ScanResult) -> list[ComplianceFinding]:
    events = json.loads(render_ocsf(result))
    for event in events:
        OCSF.validate(event)
    return [ComplianceFinding(**event) for event in events]


def test_every_format_says_that_a_scan_is_incomplete() -> None:
    result = a_result()
    assert not result.complete
    assert sarif(result)["invocations"][0]["executionSuccessful"] is False
    errors = [case for case, _ in junit(result) if any(isinstance(r, Error) for r in case.result)]
    assert [case.classname for case in errors] == ["keyvigil.coverage"]
    assert any(event.finding_info.types == ["unseen"] for event in ocsf(result))
    assert "INCOMPLETE" in render_text(result)
    clean = a_result(an_inventory())
    assert sarif(clean)["invocations"][0]["executionSuccessful"] is True
    assert not any(isinstance(r, Error) for case, _ in junit(clean) for r in case.result)
    assert ocsf(clean) == []
    assert "INCOMPLETE" not in render_text(clean)


def test_sarif_leads_to_the_rule_and_says_how_bad_it_is() -> None:
    run = sarif(a_remembered_result())
    rules = run["tool"]["driver"]["rules"]
    for row in run["results"]:
        rule = rules[row["ruleIndex"]]
        assert rule["id"] == row["ruleId"]
        place = row["locations"][0]["physicalLocation"]
        assert (ROOT / place["artifactLocation"]["uri"]).is_file()
        assert place["region"]["startLine"] > 1
        assert float(rule["properties"]["security-severity"]) <= 10
    states = {row.get("baselineState") for row in run["results"]}
    assert {"new", "unchanged"} <= states


def test_sarif_keeps_the_worst_and_tells_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif_report, "LIMIT", 5)
    keys = tuple(a_key(id=f"key_{n}", created_at=ago(days=100), expires_at=None) for n in range(9))
    run = sarif(a_result(an_inventory(keys=keys)))
    assert [row["properties"]["severity"] for row in run["results"]] == ["high"] * 5
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"].startswith("Of 18 violations these are the 5 most severe.")


def passed(result: ScanResult) -> set[str]:
    return {
        case.classname.removeprefix("keyvigil.") for case, _ in junit(result) if not case.result
    }


def test_junit_passes_the_rules_that_every_key_keeps() -> None:
    kept = a_result(an_inventory())
    assert kept.complete
    rules = {tally.rule.id for tally in kept.rules}
    assert passed(kept) == rules | {"coverage"}


def test_junit_passes_no_rule_where_not_everything_was_seen() -> None:
    result = a_result()
    assert not result.complete
    assert passed(result) == {"coverage"}  # of what was seen to its end
    unseen = [case.classname for case, _ in junit(result) if "incomplete" in str(case.result)]
    found = {finding.rule.id for finding in result.findings}
    assert unseen == [f"keyvigil.{t.rule.id}" for t in result.rules if t.rule.id not in found]


def test_junit_counts_what_is_not_kept() -> None:
    result = a_result(replace(a_mixed_inventory(), coverage=full_coverage("proj_1", "proj_2")))
    suites = JUnitXml.fromstring(render_junit(result).encode())
    assert suites.failures == len(result.violations)
    skipped = sum(suite.skipped for suite in suites)
    assert skipped == len(result.undetermined) + len(result.excepted)
    failures = {
        properties["fingerprint"]: case.result[0].message
        for case, properties in junit(result)
        if any(isinstance(what, Failure) for what in case.result)
    }
    assert failures.keys() == {f.fingerprint for f in result.violations}
    assert all(failures.values())


def test_ocsf_closes_what_was_resolved() -> None:
    result = a_remembered_result()
    assert result.history
    closed = {e.finding_info.uid for e in ocsf(result) if e.activity_id.value == 3}
    assert closed == {s.case.fingerprint for s in result.history.of(State.RESOLVED)}


def test_equal_results_render_to_equal_text() -> None:
    result = a_remembered_result()
    again = replace(result, findings=tuple(result.findings))
    for name in FORMATS:
        render = format_of(name)
        assert render(result) == render(again), name
