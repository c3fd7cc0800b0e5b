"""A scan as Prometheus' text exposition, for the textfile collector of node_exporter.

No label contains a key, a project or an owner, so each organization has few series.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from scanner.announce_acts import is_done, went_well
from scanner.coverage import by_collection
from scanner.display import visible
from scanner.inventory import CoverageState
from scanner.lifecycle import State
from scanner.receipt import Revocation
from scanner.result import ScanResult
from scanner.revocation import Mode
from scanner.secret import redact


class Metric(NamedTuple):
    """One metric; `labels` are those in addition to `organization`."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


METRICS: Final = (
    Metric(
        "keyvigil_last_success_timestamp_seconds",
        "gauge",
        (),
        "End of the last scan that was complete, recorded, reported and alerted.",
    ),
    Metric(
        "keyvigil_last_run_timestamp_seconds",
        "gauge",
        (),
        "End of the last scan, successful or not.",
    ),
    Metric("keyvigil_scan_duration_seconds", "gauge", (), "Duration of the last scan."),
    Metric("keyvigil_keys", "gauge", (), "API keys collected, including admin keys."),
    Metric("keyvigil_projects", "gauge", (), "Projects collected, including archived ones."),
    Metric("keyvigil_findings", "gauge", ("severity", "rule"), "Violations found."),
    Metric("keyvigil_undetermined", "gauge", (), "Undetermined findings."),
    Metric("keyvigil_excepted", "gauge", (), "Excepted findings."),
    Metric(
        "keyvigil_not_evaluated",
        "gauge",
        (),
        "Open findings of rules that the last scan did not evaluate.",
    ),
    Metric(
        "keyvigil_coverage_complete",
        "gauge",
        ("collection",),
        "1 if all requested data of the collection was collected, else 0.",
    ),
    Metric(
        "keyvigil_revocations",
        "gauge",
        ("state",),
        "Keys to revoke (due, waiting, skipped), and revocations since the previous scan (done;"
        " failed, including uncertain ones).",
    ),
    Metric("keyvigil_retries_total", "counter", (), "Repeated requests."),
    Metric("keyvigil_alerts_pending", "gauge", (), "Alerts to be delivered by the next scan."),
    Metric(
        "keyvigil_alerts_failed", "gauge", (), "Routes with a failed delivery in the last scan."
    ),
)
_SUCCESS, _RUN, _DURATION, _KEYS, _PROJECTS, _FINDINGS, _UNDETERMINED, _EXCEPTED = METRICS[:8]
_NOT_EVALUATED, _COVERAGE, _REVOCATIONS, _RETRIES, _PENDING, _FAILED = METRICS[8:]
_ORGANIZATION: Final = "organization"
_KEPT: Final = re.compile(
    rf'^({_SUCCESS.name}|{_RUN.name}|{_RETRIES.name}){{{_ORGANIZATION}="((?:[^"\\]|\\.)*)"}}'
    r" ([0-9]+(?:\.[0-9]+)?)$",
    re.MULTILINE | re.ASCII,
)
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Sample = tuple[Metric, tuple[str, ...], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """Figures of a run that its result does not contain; None if unknown."""

    organization: str
    ended_at: datetime
    seconds: float
    is_success: bool
    retries: int = 0
    alerts_pending: int | None = None
    alerts_failed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Figures of the previous run's file, which are continued."""

    organization: str = ""
    last_success: float | None = None
    retries: int = 0


def read_before(text: str) -> Before:
    """Read the previous run's file; lines that KeyVigil did not write are ignored."""
    found = {name: (label, value) for name, label, value in _KEPT.findall(text)}
    if _RUN.name not in found:
        return Before()
    label = found[_RUN.name][0]
    kept = {name: float(value) for name, (named, value) in found.items() if named == label}
    return Before(
        organization=re.sub(r"\\(.)", lambda match: match[1].replace("n", "\n"), label),
        last_success=kept.get(_SUCCESS.name),
        retries=int(kept.get(_RETRIES.name, 0)),
    )


def render_metrics(result: ScanResult | None, run: RunFigures, before: Before) -> str:
    """Render the file; without a result, only the metrics of the run.

    The last success and the number of retries continue from the previous file, if it is of the
    same organization.
    """
    if before.organization != _shown(run.organization):
        before = Before()
    samples = [*_of_run(run, before), *(_of_result(result) if result else ())]
    lines: list[str] = []
    for metric in METRICS:
        ours = [sample for sample in samples if sample[0] is metric]
        if ours:
            lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.type}")
            lines += (_line(sample, run.organization) for sample in ours)
    return "".join(f"{line}\n" for line in lines)


def _of_run(run: RunFigures, before: Before) -> Iterator[Sample]:
    ended_at = run.ended_at.timestamp()
    succeeded_at = ended_at if run.is_success else before.last_success
    if succeeded_at is not None:
        yield _SUCCESS, (), f"{succeeded_at:.3f}"
    yield _RUN, (), f"{ended_at:.3f}"
    yield _DURATION, (), f"{run.seconds:.3f}"
    yield _RETRIES, (), str(before.retries + run.retries)
    if run.alerts_pending is not None:
        yield _PENDING, (), str(run.alerts_pending)
    if run.alerts_failed is not None:
        yield _FAILED, (), str(run.alerts_failed)


def _of_result(result: ScanResult) -> Iterator[Sample]:
    totals = result.totals()
    yield _KEYS, (), str(totals.keys)
    yield _PROJECTS, (), str(totals.projects)
    yield _UNDETERMINED, (), str(totals.undetermined)
    yield _EXCEPTED, (), str(totals.excepted)
    if result.history:
        yield _NOT_EVALUATED, (), str(len(result.history.of(State.NOT_EVALUATED)))
    # Rules without violations are included: a series that disappears would look like missing data.
    found = Counter({(tally.rule.severity, tally.rule.id): 0 for tally in result.rules})
    found.update((finding.severity, finding.rule.id) for finding in result.violations)
    for (severity, rule), count in sorted(found.items()):
        yield _FINDINGS, (severity.value, rule), str(count)
    for row in by_collection(result.coverage):
        is_complete = row.state is CoverageState.COMPLETE
        yield _COVERAGE, (row.collection.value,), str(int(is_complete))
    if result.revocation:
        yield from _of_revocation(result.revocation)


def _of_revocation(revocation: Revocation) -> Iterator[Sample]:
    plan, acts = revocation.plan, revocation.acts
    counts = {
        "due": len(plan.due) if revocation.mode is Mode.PLAN else 0,
        "waiting": len(plan.waiting),
        "skipped": len(plan.held) + len(revocation.spared),
        "done": sum(map(is_done, acts)),
        "failed": sum(not went_well(act) for act in acts),
    }
    for state, count in counts.items():
        yield _REVOCATIONS, (state,), str(count)


def _line(sample: Sample, organization: str) -> str:
    metric, values, figure = sample
    labels = zip((_ORGANIZATION, *metric.labels), (organization, *values), strict=True)
    shown = ",".join(f'{name}="{_shown(value).translate(_ESCAPES)}"' for name, value in labels)
    return f"{metric.name}{{{shown}}} {figure}"


def _shown(text: str) -> str:
    """Return a label inert and with secrets masked, as in every other output."""
    return visible(redact(text))
