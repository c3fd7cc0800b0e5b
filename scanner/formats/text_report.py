"""A scan result as plain text, for a mail or a log: totals, then findings by rule."""

from collections.abc import Iterator

from scanner.coverage import by_collection
from scanner.display import visible
from scanner.finding import Finding
from scanner.lifecycle import State
from scanner.result import ScanResult, grouped, undecided
from scanner.words import evidence_texts


def render_text(result: ScanResult) -> str:
    """Render the report; control characters in untrusted text are made visible."""
    return "".join(f"{visible(line)}\n" for line in _lines(result))


def _lines(result: ScanResult) -> Iterator[str]:
    totals = result.totals()
    yield f"KeyVigil: {result.organization or 'OpenAI organization'}"
    yield (
        f"{result.started_at:%Y-%m-%d %H:%M} UTC, policy {', '.join(result.policies)},"
        f" {totals.projects:,} projects, {totals.keys:,} keys"
    )
    yield ""
    if not result.complete:
        yield "INCOMPLETE: data that was not collected is not evaluated."
        for row in by_collection(result.coverage):
            yield from (f"  {row.collection.value} {gap.state}: {gap.reason}" for gap in row.gaps)
        yield ""
    yield f"{totals.keys_violating:,} of {totals.keys:,} keys violate the policy."
    counts = {severity.value: count for severity, count in totals.by_severity.items()}
    counts |= {"excepted": totals.excepted, "undetermined": totals.undetermined}
    yield ", ".join(f"{count:,} {name}" for name, count in counts.items())
    yield from filter(None, (result.clock_note, result.unlisted_note))
    yield from _changes(result)
    for group in grouped(result.violations):
        yield from ("", f"{group.severity.value.upper()}: {group.rule.defect} ({group.rule.id})")
        yield f"  Fix: {group.rule.fix}"
        for finding in group.findings:
            yield from _finding(finding)
    for group in undecided(result.undetermined):
        yield from ("", f"UNDETERMINED: {group.rule.defect} ({group.rule.id})")
        for finding in group.findings:
            yield from _finding(finding)
    for group in grouped(result.excepted):
        yield from ("", f"EXCEPTED: {group.rule.defect} ({group.rule.id})")
        for finding in group.findings:
            yield from _finding(finding)


def _changes(result: ScanResult) -> Iterator[str]:
    history = result.history
    if history is None or history.previous is None:
        return
    counts = ", ".join(f"{len(history.of(state)):,} {state.value}" for state in State)
    yield f"Since {history.previous.started_at:%Y-%m-%d %H:%M} UTC: {counts}"


def _finding(finding: Finding) -> Iterator[str]:
    key, project = finding.key, finding.project
    where = (project.name or project.id) if project else "organization"
    owner = finding.owner_email or key.owner.name or "unknown"
    yield f"  {key.name or 'unnamed'}  {key.id}  {where}  {owner}"
    words = "; ".join(evidence_texts(finding.evidence))
    if finding.exception:
        words += f"; until {finding.exception.expires}: {finding.exception.reason}"
    yield f"    {words}  [{finding.fingerprint}]"
