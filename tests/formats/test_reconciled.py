"""The same findings, by the same fingerprints, in every format: reconciled over random results."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Failure, Skipped
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.objects.compliance_status import StatusID as Verdict

from scanner.announce import announcement
from scanner.announcement import Route, Sink
from scanner.collection import Collection
from scanner.finding import ExceptionText, Outcome
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.markdown_report import render_markdown
from scanner.formats.text_report import render_text
from scanner.lifecycle import State
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import Scanned, compared, scan
from scanner.severity import Severity
from tests.factories import (
    NOW,
    Remembered,
    a_gap,
    a_key,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)
from tests.formats.test_html_report import Outline
from tests.formats.test_imported import junit, ocsf, sarif
from tests.formats.test_tables import HOSTILE, RESULTS, lines, named, table
from tests.support.examples import examples

BASELINE = load_policies(["baseline"])
EXEMPT = ExceptionText(
    rules=("key-too-old",), reason="Vendor", owner="ann", ticket="", expires=NOW.date()
)


Told = set[tuple[str, str]]
"""The fingerprint of each finding, and something of it: its outcome, or its severity."""
OUTCOMES = {outcome.value for outcome in Outcome}


def every_format(result: ScanResult) -> dict[str, Told]:
    """Return the outcome of each finding, as each format with all outcomes has it."""
    of_junit: Told = set()
    for case, properties in junit(result):
        if "fingerprint" in properties:
            (what,) = case.result
            outcome = what.type if isinstance(what, Skipped) else "violated"
            of_junit.add((properties["fingerprint"], outcome))
    return {
        "html": {
            (row["fingerprint"], row["status"] if row["status"] in OUTCOMES else "violated")
            for row in page(result)
        },
        "json": {
            (f["fingerprint"], f["outcome"]) for f in json.loads(render_json(result))["findings"]
        },
        "jsonl": {
            (f["fingerprint"], f["outcome"]) for f in lines(result) if f["type"] == "finding"
        },
        "csv": {(r["fingerprint"], r["outcome"]) for r in table(result) if r["fingerprint"]},
        "junit": of_junit,
        "ocsf": {(e.finding_info.uid, outcome_of(e)) for e in ocsf(result) if outcome_of(e)},
        "text": text_of(result),
    }


def severities(result: ScanResult) -> dict[str, Told]:
    """Return the severity of each finding, as each format tells it."""
    return {
        "html": {(row["fingerprint"], row["severity"]) for row in page(result)},
        "json": {
            (f["fingerprint"], f["severity"]) for f in json.loads(render_json(result))["findings"]
        },
        "jsonl": {
            (f["fingerprint"], f["severity"]) for f in lines(result) if f["type"] == "finding"
        },
        "csv": {(r["fingerprint"], r["severity"]) for r in table(result) if r["fingerprint"]},
        "junit": {
            (told["fingerprint"], told["severity"])
            for _, told in junit(result)
            if "fingerprint" in told
        },
        "ocsf": {
            (e.finding_info.uid, e.unmapped["rule_severity"]) for e in ocsf(result) if outcome_of(e)
        },
    }


def alerts(result: ScanResult) -> dict[str, Told]:
    """Return the severity of each alert that a consumer raises, for the formats that raise any."""
    return {
        "sarif": {
            (row["partialFingerprints"]["keyvigil/v1"], row["properties"]["severity"])
            for row in sarif(result)["results"]
        },
        "ocsf": {
            (e.finding_info.uid, e.severity.lower().replace("informational", "info"))
            for e in ocsf(result)
            if e.compliance.status_id is Verdict.Fail
        },
        "junit": {
            (properties["fingerprint"], properties["severity"])
            for case, properties in junit(result)
            if any(isinstance(what, Failure) for what in case.result)
        },
    }


def page(result: ScanResult) -> list[dict[str, str]]:
    """Return what the page's data says of each finding of tonight."""
    outline = Outline(render_html(result))
    data = outline.data()
    rows = [
        {
            "fingerprint": row["fingerprint"],
            "status": data["statuses"][row["status"]],
            "severity": data["severities"][row["severity"]],
        }
        for row in outline.findings()
    ]
    return [row for row in rows if row["status"] not in {State.UNVERIFIED, State.RESOLVED}]


def outcome_of(event: ComplianceFinding) -> str:
    (told,) = event.finding_info.types or [""]
    return told if told in OUTCOMES else ""


def without_script(result: ScanResult) -> list[str]:
    """Return the fingerprints of the rows that are on the page without its script."""
    rows = [a for tag, a in Outline(render_html(result)).elements if tag == "tr"]
    return sorted((row["id"] or "").removeprefix("f-") for row in rows if "id" in row)


def in_markdown(result: ScanResult) -> list[str]:
    """Return the rule of each row of the tables of findings."""
    titles = {tally.rule.defect: tally.rule.id for tally in result.rules}
    told, rule = [], ""
    for line in render_markdown(result).splitlines():
        heading = re.match(r"## [a-z]+: (.*)", line)
        rule = titles[heading[1]] if heading else rule
        if re.search(r"key\\_\d+ \|", line):
            told.append(rule)
    return sorted(told)


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
    """Any keys of a few owners on one to three nights, each with gaps or without."""
    past = Remembered()
    for days in range(draw(st.integers(0, 2)), 0, -1):
        before = compared(draw(nights(ago(days=days))), past, "Acme")
        assert before.history
        past.remember(before.history)
    result = compared(draw(nights(NOW)), past, "Acme")
    return result if draw(st.booleans()) else replace(result, history=None)


@st.composite
def nights(draw: st.DrawFn, moment: datetime) -> Scanned:
    """A night on which the baseline's findings have any outcome."""
    keys = tuple(
        a_key(
            id=f"key_{n}",
            name=draw(st.one_of(st.none(), st.text(max_size=5), st.sampled_from(HOSTILE))),
            created_at=ago(days=days),
            last_used_at=draw(st.sampled_from([None, ago(days=10), ago(days=100)])),
            expires_at=draw(st.sampled_from([None, ago(days=-5)])),
            owner=an_owner(id=f"user-{days % 3}"),
        )
        for n, days in enumerate(draw(st.lists(st.integers(10, 400), max_size=6)))
    )
    gap = a_gap(Collection.PROJECT_KEYS, project_id="proj_2")
    gaps = draw(st.sampled_from([(), (gap,)]))
    inventory = an_inventory(keys=keys, coverage=(*full_coverage("proj_1"), *gaps))
    scanned = scan(lambda: inventory, BASELINE, moment, lambda: moment)
    findings = []
    for finding in scanned.judgement.findings:
        outcome = draw(st.sampled_from(list(Outcome)))
        exempt = EXEMPT if outcome is Outcome.EXCEPTED else None
        findings.append(finding._replace(outcome=outcome, exception=exempt))
    return replace(
        scanned,
        judgement=replace(scanned.judgement, findings=tuple(findings)),
        result=replace(scanned.result, findings=tuple(findings)),
    )


def agree(result: ScanResult) -> None:
    """Hold every format to the result."""
    outcomes = {(f.fingerprint, f.outcome.value) for f in result.findings}
    for name, told in every_format(result).items():
        assert told == outcomes, name
    expected = {(f.fingerprint, f.severity.value) for f in result.findings}
    for name, told in severities(result).items():
        assert told == expected, name
    violated = {(f.fingerprint, f.severity.value) for f in result.violations}
    for name, raised in alerts(result).items():
        assert raised == violated, name
    assert without_script(result) == sorted(f.fingerprint for f in result.violations)
    slack = announcement(result, Route(name="all", sink=Sink.SLACK))
    counts = Counter(finding.severity for finding in result.violations)
    assert slack.by_severity == {severity: counts[severity] for severity in Severity}
    assert slack.keys_violating == len({finding.key.id for finding in result.violations})


@settings(max_examples=examples(40))
@given(results())
def test_the_same_findings_in_every_format(result: ScanResult) -> None:
    agree(result)
    shown = (*result.violations, *result.undetermined)
    assert in_markdown(result) == sorted(finding.rule.id for finding in shown)


@pytest.mark.parametrize("result", RESULTS)
def test_the_same_with_a_history_and_with_gaps(result: ScanResult) -> None:
    agree(result)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_break_no_reader(name: str) -> None:
    for told in (*every_format(named(name)).values(), *alerts(named(name)).values()):
        assert told
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028]", render_text(named(name)))
