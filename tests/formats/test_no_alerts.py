"""What could not be determined, or is excepted, raises no alert in the programs that read us."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from junitparser import Failure, Skipped
from py_ocsf_models.objects.compliance_status import StatusID as Verdict

from scanner.finding import ExceptionText, Outcome
from scanner.formats import sarif_report
from scanner.inventory import Unknown
from scanner.lifecycle import State
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import compared, scan
from tests.conftest import ROOT
from tests.factories import (
    NOW,
    Remembered,
    a_gap,
    a_key,
    a_remembered_result,
    a_result,
    ago,
    an_inventory,
    full_coverage,
)
from tests.formats.test_imported import junit, ocsf, sarif

BASELINE = load_policies(["baseline"])
EXEMPT = ExceptionText(
    rules=("key-too-old",), reason="Vendor", owner="ann", ticket="", expires=NOW.date()
)
DENIED = Unknown(reason="the users could not be listed")


def with_outcome(result: ScanResult, outcome: Outcome) -> ScanResult:
    """Return the result with this outcome for every finding."""
    findings = []
    for finding in result.findings:
        evidence = finding.evidence
        if outcome is Outcome.UNDETERMINED:
            evidence = tuple(row._replace(value=DENIED) for row in evidence)
        exempt = EXEMPT if outcome is Outcome.EXCEPTED else None
        changed = finding._replace(outcome=outcome, exception=exempt, evidence=evidence)
        findings.append(changed)
    return replace(result, findings=tuple(findings))


def old_keys(count: int) -> ScanResult:
    keys = tuple(a_key(id=f"key_{n}", created_at=ago(days=100)) for n in range(count))
    return a_result(an_inventory(keys=keys))


def alerts(result: ScanResult) -> set[str]:
    """Return the fingerprints for which a reader raises an alert or fails a build."""
    return {
        *(row["partialFingerprints"]["keyvigil/v1"] for row in sarif(result)["results"]),
        *(
            event.finding_info.uid
            for event in ocsf(result)
            if event.severity_id.value > 1
            or event.activity_name == "Create"
            or event.compliance.status_id is Verdict.Fail
        ),
        *(
            output["fingerprint"]
            for case, output in junit(result)
            if any(isinstance(what, Failure) for what in case.result)
        ),
    }


@pytest.mark.parametrize("outcome", [Outcome.UNDETERMINED, Outcome.EXCEPTED])
def test_only_violations_raise_alerts(outcome: Outcome) -> None:
    violated = old_keys(3)
    assert alerts(violated) == {finding.fingerprint for finding in violated.findings} != set()
    assert alerts(with_outcome(violated, outcome)) == set()


def test_no_prometheus_alert_reads_undetermined_findings() -> None:
    """`keyvigil_findings` counts violations (test_metrics_text.py)."""
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "keyvigil.rules.yaml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert any("keyvigil_findings" in text for text in expressions)
    assert not any("undetermined" in text or "excepted" in text for text in expressions)


def notifications(result: ScanResult) -> list[Any]:
    found: list[Any] = sarif(result)["invocations"][0]["toolExecutionNotifications"]
    return found


def test_sarif_groups_undetermined_findings_by_rule_and_reason() -> None:
    result = with_outcome(old_keys(2000), Outcome.UNDETERMINED)
    found = notifications(result)
    assert len(result.findings) > len(found) > 0
    assert {one["descriptor"]["id"] for one in found} == {"undetermined"}
    counted = {one["associatedRule"]["id"]: one["properties"]["keys"] for one in found}
    assert counted == {t.rule.id: 2000 for t in result.rules if t.violated}
    assert all(DENIED.reason in one["message"]["text"] for one in found)


def test_sarif_lists_each_gap_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif_report, "NOTIFICATIONS", 3)
    gaps = tuple(
        a_gap(row.collection, project_id=f"proj_{n}")
        for n, row in enumerate(full_coverage(*"abcd"))
    )
    found = notifications(a_result(an_inventory(coverage=gaps)))
    assert [one["descriptor"]["id"] for one in found] == [*["coverage-gap"] * 3, "cut"]
    assert found[0]["level"] == "error"


def test_sarif_describes_every_kind_of_notification() -> None:
    run = sarif(a_result())
    described = {one["id"] for one in run["tool"]["driver"]["notifications"]}
    used = {n["descriptor"]["id"] for n in run["invocations"][0]["toolExecutionNotifications"]}
    assert used == {"coverage-gap", "undetermined"}
    assert used < described


def category(result: ScanResult) -> str:
    """Return the category as GitHub does: what is before the last slash."""
    name: str = sarif(result)["automationDetails"]["id"]
    return name.rpartition("/")[0]


def named(organization: str, *policies: str) -> ScanResult:
    return replace(old_keys(1), history_name=organization, policies=policies)


def test_a_set_up_keeps_its_category() -> None:
    first = named("production", "baseline", "mine")
    assert category(first) == "keyvigil/production/baseline:mine"
    later = replace(first, id="another", started_at=NOW + timedelta(days=1))
    assert category(later) == category(replace(later, policies=("mine", "baseline")))
    assert category(later) == category(first)


NAMES = st.text(st.characters(exclude_categories=[]), min_size=1, max_size=100)


@settings(max_examples=30, deadline=None)
@given(NAMES, NAMES)
@example("a/b", "a-b")
@example("Acme Corp", "Acme-Corp")
@example("x" * 61, "x" * 62)
def test_two_organizations_and_two_policies_have_two_categories(one: str, other: str) -> None:
    found = {
        category(named(organization, *policies))
        for organization in {one, other, "keyvigil"}
        for policies in ((one,), (other,), (one, other))
    }
    for text in found:
        assert re.fullmatch(r"keyvigil/[A-Za-z0-9._-]{1,70}/[A-Za-z0-9._:-]{1,150}", text)
    if one.isascii() and other.isascii():  # others may be one name in two normal forms
        assert len(found) == len({one, other, "keyvigil"}) * len(
            {(one,), (other,), tuple(sorted((one, other)))}
        )


def test_two_organizations_that_the_api_gives_one_name_have_two_categories() -> None:
    one = replace(named("production", "baseline"), organization="Acme")
    assert category(one) != category(replace(one, history_name="research"))
    assert category(replace(one, history_name=None)) == "keyvigil/Acme/baseline"


def located(file: str) -> Any:
    """Return the run of a scan whose rules are in this file."""
    result = old_keys(1)
    findings = tuple(f._replace(rule=replace(f.rule, file=file)) for f in result.findings)
    rules = tuple(replace(t, rule=replace(t.rule, file=file)) for t in result.rules)
    return sarif(replace(result, findings=findings, rules=rules))


def place(file: str) -> Any:
    run = located(file)
    (row, *_) = run["results"]
    location = row["locations"][0]["physicalLocation"]["artifactLocation"]
    assert set(run.get("originalUriBaseIds", {})) == {
        location[name] for name in ("uriBaseId",) if name in location
    }
    return location


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("mine.yaml", "mine.yaml"),
        ("./own policies/ü%.yaml", "own%20policies/%C3%BC%25.yaml"),
        ("a/../mine.yaml", "mine.yaml"),
        ("back\\slash#?.yaml", "back%5Cslash%23%3F.yaml"),
        ("c:mine.yaml", "c%3Amine.yaml"),
        ("byte\udcff.yaml", "byte%FF.yaml"),
    ],
)
def test_a_relative_policy_is_located_by_its_relative_path(file: str, uri: str) -> None:
    assert place(file) == {"uri": uri}


def test_a_path_above_the_working_folder_is_never_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers reject `..`, and the folders above name people and hosts."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    elsewhere = {"uri": "mine.yaml", "uriBaseId": "POLICIES"}
    assert place("../mine.yaml") == elsewhere
    assert place("own/../../other/mine.yaml") == elsewhere
    assert place("../work/own/mine.yaml") == {"uri": "own/mine.yaml"}


def test_an_absolute_path_is_never_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    assert place(str(folder / "sub" / "mine.yaml")) == {"uri": "sub/mine.yaml"}
    assert place(str(tmp_path / "link" / "mine.yaml")) == {"uri": "mine.yaml"}
    elsewhere = {"uri": "my%20own.yaml", "uriBaseId": "POLICIES"}
    assert place("/home/ann/my own.yaml") == elsewhere
    assert place("C:\\Users\\ann\\my own.yaml") == elsewhere


def test_pages_are_linked_once_a_release_has_set_their_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = sarif(old_keys(1))["tool"]["driver"]
    assert "informationUri" not in driver
    assert not any("helpUri" in rule for rule in driver["rules"])
    monkeypatch.setattr(sarif_report, "PAGES", "https://keyvigil.example/")
    driver = sarif(old_keys(1))["tool"]["driver"]
    assert driver["informationUri"] == "https://keyvigil.example/"
    for rule in driver["rules"]:
        assert rule["helpUri"] == f"https://keyvigil.example/rules/{rule['id']}"
    own = located("mine.yaml")["tool"]["driver"]["rules"]
    assert not any("helpUri" in rule for rule in own)


def scans(*outcomes: Outcome) -> list[dict[str, tuple[str, str, str]]]:
    """Return activity, status and severity by uid of scans of one key, one for each outcome."""
    past, found = Remembered(), []
    inventory = an_inventory(keys=(a_key(created_at=ago(days=100), last_used_at=ago(days=9)),))
    for days, outcome in zip(range(len(outcomes), 0, -1), outcomes, strict=True):
        at = ago(days=days)
        scanned = scan(lambda: inventory, BASELINE, at, lambda: at)  # noqa: B023 - used at once
        changed = with_outcome(scanned.result, outcome)
        judgement = replace(scanned.judgement, findings=changed.findings)
        result = compared(replace(scanned, result=changed, judgement=judgement), past, "Acme")
        assert result.history
        past.remember(result.history)
        events = ocsf(result)
        rows = {
            e.finding_info.uid: (e.activity_name or "", e.status or "", e.severity or "")
            for e in events
        }
        assert len(rows) == len(events)
        found.append(rows)
    return found


VIOLATED, EXCEPTED, UNDETERMINED = Outcome.VIOLATED, Outcome.EXCEPTED, Outcome.UNDETERMINED


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (
            (VIOLATED, VIOLATED, UNDETERMINED, VIOLATED),
            [
                ("Create", "New", "High"),
                ("Update", "In Progress", "High"),
                ("Update", "In Progress", "Unknown"),
                ("Update", "In Progress", "High"),
            ],
        ),
        ((UNDETERMINED, UNDETERMINED), [("Update", "Unknown", "Unknown")] * 2),
        (
            (VIOLATED, EXCEPTED, EXCEPTED, VIOLATED),
            [
                ("Create", "New", "High"),
                ("Close", "Suppressed", "Informational"),
                ("Update", "Suppressed", "Informational"),
                ("Create", "New", "High"),
            ],
        ),
    ],
)
def test_ocsf_creates_a_finding_once_and_has_one_event_for_each(
    outcomes: tuple[Outcome, ...], expected: list[tuple[str, str, str]]
) -> None:
    for rows, event in zip(scans(*outcomes), expected, strict=True):
        assert set(rows.values()) == {event}


def test_ocsf_creates_nothing_without_a_history() -> None:
    assert {(e.activity_name, e.status) for e in ocsf(old_keys(2))} == {("Update", "New")}


def test_ocsf_closes_a_resolved_finding_without_alarm() -> None:
    result = a_remembered_result()
    assert result.history
    resolved = {standing.case.fingerprint for standing in result.history.of(State.RESOLVED)}
    found = {
        (e.activity_name, e.status, e.severity_id.value, e.compliance.status_id)
        for e in ocsf(result)
        if e.finding_info.uid in resolved
    }
    assert found == {("Close", "Resolved", 1, Verdict.Other)}


def test_ocsf_says_unknown_of_what_is_undetermined() -> None:
    for event in ocsf(with_outcome(old_keys(1), UNDETERMINED)):
        assert (event.severity_id.value, event.compliance.status_id) == (0, Verdict.Unknown)


def test_an_ocsf_gap_keeps_its_uid_and_an_event_has_its_own() -> None:
    def gaps(result: ScanResult) -> list[str]:
        return [e.finding_info.uid for e in ocsf(result) if e.finding_info.types == ["unseen"]]

    first = a_result()
    assert gaps(first) == gaps(replace(first, id="another")) != []
    assert gaps(first) != gaps(replace(first, history_name="another"))
    events = [
        event.metadata.uid for result in (first, replace(first, id="2")) for event in ocsf(result)
    ]
    assert len(events) == len(set(events))


def test_junit_shows_no_undetermined_rule_as_passed() -> None:
    result = with_outcome(old_keys(2), UNDETERMINED)
    cases = [case for case, output in junit(result) if output]
    assert len(cases) == len(result.findings)
    for case in cases:
        assert [type(what) for what in case.result] == [Skipped]
        assert DENIED.reason in case.result[0].message


@pytest.mark.parametrize("seconds", [-5, 0, 3.25, 12_345.678, 1_234_567])
def test_junit_gives_any_duration_as_its_schema_has_it(seconds: float) -> None:
    assert junit(replace(old_keys(1), finished_at=NOW + timedelta(seconds=seconds)))
