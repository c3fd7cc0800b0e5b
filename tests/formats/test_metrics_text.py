"""The metrics, read by Prometheus' own reader."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from scanner.formats.metrics_text import METRICS, Before, RunFigures, read_before, render_metrics
from scanner.receipt import Result, Revocation
from scanner.result import ScanResult
from scanner.revocation import NOTHING, Mode
from scanner.secret import redact
from scanner.severity import Severity
from tests.browser.making import with_revocation
from tests.conftest import golden
from tests.factories import NOW, a_mixed_inventory, a_remembered_result, a_result, an_inventory
from tests.planning import an_act

GOLDEN = Path(__file__).parent / "golden" / "metrics.prom"
AT = NOW.timestamp()


def a_run(**changes: Any) -> RunFigures:
    run = RunFigures(organization="Acme", ended_at=NOW, seconds=2.5, is_success=True)
    return replace(run, **changes)


def read(text: str) -> dict[tuple[str, ...], float]:
    """Every sample's value by its name and its labels' values, but for the organization."""
    return {
        (one.name, *(value for name, value in one.labels.items() if name != "organization")): (
            one.value
        )
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_the_figures_are_the_results() -> None:
    result = a_result()
    run = a_run(retries=3, alerts_pending=2, alerts_failed=1)
    read_back = read(render_metrics(result, run, Before()))
    totals = result.totals()
    of_rules = {key[1:]: n for key, n in read_back.items() if key[0] == "keyvigil_findings"}
    assert sum(of_rules.values()) == len(result.violations) > 4
    for severity, count in totals.by_severity.items():
        assert sum(n for key, n in of_rules.items() if key[0] == severity) == count
    others = {key: n for key, n in read_back.items() if key[0] != "keyvigil_findings"}
    assert others == {
        ("keyvigil_last_success_timestamp_seconds",): AT,
        ("keyvigil_last_run_timestamp_seconds",): AT,
        ("keyvigil_scan_duration_seconds",): 2.5,
        ("keyvigil_keys",): totals.keys,
        ("keyvigil_projects",): totals.projects,
        ("keyvigil_undetermined",): totals.undetermined,
        ("keyvigil_excepted",): totals.excepted,
        ("keyvigil_coverage_complete", "projects"): 1,
        ("keyvigil_coverage_complete", "users"): 1,
        ("keyvigil_coverage_complete", "admin_api_keys"): 1,
        ("keyvigil_coverage_complete", "api_keys"): 0,
        ("keyvigil_coverage_complete", "service_accounts"): 1,
        ("keyvigil_retries_total",): 3,
        ("keyvigil_alerts_pending",): 2,
        ("keyvigil_alerts_failed",): 1,
    }


def test_the_document_is_the_golden_one() -> None:
    golden(GOLDEN, render_metrics(a_result(), a_run(alerts_pending=0, alerts_failed=0), Before()))


def test_every_metric_has_its_type_and_help_and_the_organization_and_no_other_labels() -> None:
    run = a_run(alerts_pending=0, alerts_failed=0)
    text = render_metrics(with_revocation(a_remembered_result()), run, Before())
    families = list(text_string_to_metric_families(text))
    assert [
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for family in families
    ] == [(metric.name, metric.type) for metric in METRICS]
    for family, metric in zip(families, METRICS, strict=True):
        assert family.documentation == metric.help
        for sample in family.samples:
            assert tuple(sample.labels) == ("organization", *metric.labels)
            assert sample.labels["organization"] == "Acme"


def test_there_is_no_series_for_a_key_a_project_or_an_owner() -> None:
    inventory = a_mixed_inventory()
    text = render_metrics(a_result(inventory), a_run(), Before())
    for name in ("key_old", "proj_1", "proj_2", "Ada", "ada@", "Eve", "user-", "svc_1"):
        assert name not in text


def test_a_rule_that_nothing_breaks_is_told_as_0() -> None:
    text = render_metrics(a_result(an_inventory()), a_run(), Before())
    assert read(text)["keyvigil_findings", "high", "owner-left-org"] == 0


def test_after_a_failure_the_last_success_stays_and_what_was_not_seen_is_not_told() -> None:
    good = render_metrics(a_result(), a_run(retries=3), Before())
    later = NOW.replace(hour=5)
    bad = a_run(ended_at=later, is_success=False, retries=2)
    once = render_metrics(None, bad, read_before(good))
    twice = render_metrics(None, bad, read_before(once))
    assert read(twice) == {
        ("keyvigil_last_success_timestamp_seconds",): AT,
        ("keyvigil_last_run_timestamp_seconds",): later.timestamp(),
        ("keyvigil_scan_duration_seconds",): 2.5,
        ("keyvigil_retries_total",): 7,
    }


def test_a_scan_that_was_incomplete_is_told_and_is_no_success() -> None:
    text = render_metrics(a_result(), a_run(is_success=False), Before())
    assert ("keyvigil_last_success_timestamp_seconds",) not in read(text)
    assert read(text)["keyvigil_keys",] == 6


def test_another_organizations_file_says_nothing_of_this_ones() -> None:
    before = read_before(render_metrics(None, a_run(organization="Other", retries=9), Before()))
    text = render_metrics(None, a_run(is_success=False), before)
    assert read(text)["keyvigil_retries_total",] == 0
    assert ("keyvigil_last_success_timestamp_seconds",) not in read(text)


def test_a_revocation_that_is_uncertain_counts_as_failed_and_a_successful_undo_does_not() -> None:
    undo = an_act(Result.DONE, undoes="an earlier receipt")
    acts = (an_act(Result.DONE), an_act(Result.FAILED), an_act(None), undo)
    revocation = Revocation(mode=Mode.ENFORCE, plan=NOTHING, acts=acts)
    found = read(render_metrics(replace(a_result(), revocation=revocation), a_run(), Before()))
    assert found["keyvigil_revocations", "done"] == 1
    assert found["keyvigil_revocations", "failed"] == 2


@given(st.text())
def test_a_file_that_is_not_ours_says_nothing(text: str) -> None:
    assert read_before(text) == Before()


@given(st.text(alphabet=st.characters(), max_size=30), st.sampled_from(Severity))
def test_whatever_an_organization_and_a_rule_are_called_the_reader_takes_it(
    name: str, severity: Severity
) -> None:
    run = a_run(organization=name)
    text = render_metrics(renamed(name, severity), run, Before())
    text.encode()  # nothing is left that is no text
    assert read(text)["keyvigil_keys",] == 1
    before = read_before(text)
    assert before.last_success == AT
    assert read(render_metrics(None, run, before)).keys() < read(text).keys()


def test_a_secret_in_a_name_is_masked() -> None:
    key = "sk-admin-0123456789abcdefghijklmnop"
    assert key not in render_metrics(None, a_run(organization=key), Before())
    assert redact(key) in render_metrics(None, a_run(organization=key), Before())


def renamed(rule: str, severity: Severity) -> ScanResult:
    """A result with one rule, of that name."""
    result = a_result(an_inventory())
    (tally, *_) = result.rules
    text = replace(tally.rule, id=rule, severity=severity)
    return replace(result, rules=(replace(tally, rule=text),), findings=())
