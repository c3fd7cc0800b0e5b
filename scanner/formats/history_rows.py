"""The history as rows of `keyvigil.report/1`."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from scanner.formats.report_rows import (
    CaseRow,
    HistoryRow,
    NightRow,
    PolicyRow,
    ResolvedRow,
    UnverifiedRow,
)
from scanner.lifecycle import Case, History, Night, PolicySource, State

_CASE: Final = tuple(CaseRow.model_fields)


def history_row(history: History) -> HistoryRow:
    """Return the changes since the previous scan, and the trend."""
    counts = Counter(standing.state for standing in history.standings)
    mean, oldest = history.mean_time_to_remediate, history.oldest_open
    return HistoryRow(
        previous=history.previous.scan_id if history.previous else None,
        states={state.value: counts[state] for state in State},
        resolved=[
            ResolvedRow(**_case(standing.case, "resolution"))
            for standing in history.of(State.RESOLVED)
        ],
        unverified=[
            UnverifiedRow(**_case(standing.case), reason=standing.reason)
            for standing in history.of(State.UNVERIFIED)
        ],
        scans=[night_row(night) for night in history.nights],
        mean_time_to_remediate=mean.total_seconds() if mean is not None else None,
        oldest_open=CaseRow(**_case(oldest)) if oldest else None,
    )


def night_row(night: Night) -> NightRow:
    """Return one recorded scan."""
    return NightRow(
        scan=night.scan_id,
        started_at=night.started_at,
        complete=night.complete,
        keys=night.keys,
        by_severity={severity.value: count for severity, count in night.by_severity.items()},
        opened=night.opened,
        resolved=night.resolved,
        unverified=night.unverified,
        not_evaluated=night.not_evaluated,
        policies=policy_rows(night.sources),
    )


def policy_rows(sources: Iterable[PolicySource]) -> list[PolicyRow]:
    """Return the policies of a scan, each once."""
    each = dict.fromkeys((one.name, one.digest, one.version or None) for one in sources)
    return [PolicyRow(name=name, digest=digest, version=version) for name, digest, version in each]


def _case(case: Case, *more: str) -> dict[str, Any]:
    return {name: getattr(case, name) for name in (*_CASE, *more)}
