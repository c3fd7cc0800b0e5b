"""SARIF, JUnit, OCSF and text: each read by a reader that none of us wrote, and all agreed."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from junitparser import Error, Failure, JUnitXml, Properties, Skipped, TestCase
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from scanner.finding import ExceptionText, Outcome, Severity
from scanner.formats import sarif_report
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.junit_report import render_junit
from scanner.formats.ocsf_report import render_ocsf
from scanner.formats.registry import FORMATS
from scanner.formats.sarif_report import render_sarif
from scanner.formats.text_report import render_text
from scanner.lifecycle import State
from scanner.result import ScanResult
from tests.factories import NOW, a_key, a_remembered_result, a_result, ago, an_inventory, an_owner
from tests.formats.test_html_report import Outline
from tests.formats.test_tables import HOSTILE, RESULTS, lines, named, table

SCHEMA = Draft4Validator(
    json.loads((Path(__file__).parent / "official" / "sarif-schema-2.1.0.json").read_text())
)

EXEMPT = ExceptionText(
    rules=("key-too-old",), reason="Vendor", owner="ann", ticket="", expires=NOW.date()
)


def sarif(result: ScanResult) -> Any:
    report = json.loads(render_sarif(result))
    SCHEMA.validate(report)
    return report["runs"][0]


def junit(result: ScanResult) -> list[tuple[Any, dict[str, str]]]:
    suites = JUnitXml.fromstring(render_junit(result).encode())
    cases = [case for suite in suites for case in suite]
    return [
        (
            case,
            {p.name: p.value for properties in children(case) for p in properties},
        )
        for case in cases
    ]


def ocsf(result: ScanResult) -> list[DetectionFinding]:
    return [DetectionFinding(**event) for event in json.loads(render_ocsf(result))]


def children(case: TestCase) -> Any:
    return case.iterchildren(Properties)  # type: ignore[no-untyped-call]


Told = set[tuple[str, str]]


def every_format(result: ScanResult) -> dict[str, Told]:
    """Return the fingerprint and the outcome of each finding, as each format tells it."""
    page = Outline(render_html(result)).data()
    outside = {State.UNVERIFIED, State.RESOLVED}
    judged = {"undetermined", "excepted"}
    html: Told = {
        (row[5], status if status in judged else "violated")
        for row in page["findings"]
        if (status := page["statuses"][row[3]]) not in outside
    }
    of_sarif: Told = set()
    for row in sarif(result)["results"]:
        outcome = "excepted" if "suppressions" in row else "violated"
        outcome = "undetermined" if row["kind"] == "open" else outcome
        of_sarif.add((row["partialFingerprints"]["keyvigil/v1"], outcome))
    of_junit: Told = set()
    for case, properties in junit(result):
        if "fingerprint" in properties:
            (what,) = case.result
            outcome = what.type if isinstance(what, Skipped) else "violated"
            of_junit.add((properties["fingerprint"], outcome))
    outcomes = {outcome.value for outcome in Outcome}
    of_ocsf = {
        (event.finding_info.uid, (event.finding_info.types or [""])[0])
        for event in ocsf(result)
        if set(event.finding_info.types or []) & outcomes
    }
    return {
        "html": html,
        "json": {
            (f["fingerprint"], f["outcome"]) for f in json.loads(render_json(result))["findings"]
        },
        "jsonl": {
            (f["fingerprint"], f["outcome"]) for f in lines(result) if f["type"] == "finding"
        },
        "csv": {(r["fingerprint"], r["outcome"]) for r in table(result) if r["fingerprint"]},
        "sarif": of_sarif,
        "junit": of_junit,
        "ocsf": of_ocsf,
        "text": text_of(result),
    }


def text_of(result: ScanResult) -> Told:
    told: Told = set()
    outcome = ""
    for line in render_text(result).splitlines():
        heading = re.match(r"([A-Z]+): .* \([a-z-]+\)$", line)
        if heading:
            word = heading[1].lower()
            outcome = word if word in {"undetermined", "excepted"} else "violated"
        fingerprint = re.search(r"\[([0-9a-f]{32})\]$", line)
        if fingerprint:
            told.add((fingerprint[1], outcome))
    return told


@st.composite
def results(draw: st.DrawFn) -> ScanResult:
    """Any keys of a few owners, all that the baseline can say of them."""
    numbers = draw(st.lists(st.integers(0, 400), max_size=8))
    keys = tuple(
        a_key(
            id=f"key_{n}",
            name=draw(st.one_of(st.none(), st.text(max_size=5), st.sampled_from(HOSTILE))),
            created_at=ago(days=days),
            last_used_at=draw(st.sampled_from([None, ago(days=1), ago(days=100)])),
            expires_at=draw(st.sampled_from([None, ago(days=-5)])),
            owner=an_owner(id=f"user-{days % 3}"),
        )
        for n, days in enumerate(numbers)
    )
    result = a_result(an_inventory(keys=keys))
    outcomes = [draw(st.sampled_from(list(Outcome))) for _ in result.findings]
    return replace(
        result,
        findings=tuple(
            f._replace(outcome=o, exception=EXEMPT if o is Outcome.EXCEPTED else None)
            for f, o in zip(result.findings, outcomes, strict=True)
        ),
    )


@settings(deadline=None, max_examples=40)
@given(results())
def test_the_same_fingerprints_in_every_format(result: ScanResult) -> None:
    expected = {(f.fingerprint, f.outcome.value) for f in result.findings}
    for name, told in every_format(result).items():
        assert told == expected, name


@pytest.mark.parametrize("result", RESULTS)
def test_the_same_with_a_history_and_with_gaps(result: ScanResult) -> None:
    expected = {(f.fingerprint, f.outcome.value) for f in result.findings}
    for name, told in every_format(result).items():
        assert told == expected, name


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_break_no_reader(name: str) -> None:
    for told in every_format(named(name)).values():
        assert told
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028]", render_text(named(name)))


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
        assert place["artifactLocation"]["uri"].endswith(".yaml")
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
    assert told["message"]["text"].startswith("Of 18 findings these are the 5 most severe.")


def test_junit_passes_what_is_kept_and_counts_what_is_not() -> None:
    result = a_result()
    suites = JUnitXml.fromstring(render_junit(result).encode())
    assert suites.failures == len(result.violations)
    assert suites.skipped == len(result.undetermined) + len(result.excepted)
    kept = {tally.rule.id for tally in result.rules if not tally.violated + tally.undetermined}
    passed = {
        case.classname.removeprefix("keyvigil.") for case, _ in junit(result) if not case.result
    }
    assert kept <= passed
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
    severities = {e.finding_info.uid: e.severity for e in ocsf(result)}
    for finding in result.violations:
        if finding.severity is not Severity.INFO:
            assert severities[finding.fingerprint].lower() == finding.severity.value


def test_equal_results_render_to_equal_text() -> None:
    result = a_remembered_result()
    again = replace(result, findings=tuple(result.findings))
    for name, render in FORMATS.items():
        assert render(result) == render(again), name
