"""The findings as the report's page reads them: tables of rows that name each other by number.

What many findings share (rules, projects, owners, keys, texts) is written once. Keys, projects and
owners stand in the order of their names, so that the page sorts by number. Moments are minutes
since 1970; null: never; -1: not known.
"""

import json
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from scanner.display import visible
from scanner.finding import Finding, Outcome, Severity
from scanner.inventory import Unknown
from scanner.lifecycle import Case, Standing, State
from scanner.result import ScanResult
from scanner.words import in_words

OPEN: Final = "open"
"""The status of a violation where no history is kept."""
_OUTSIDE: Final = (State.UNVERIFIED, State.RESOLVED)
"""What no finding of tonight stands for: it comes from the nights before."""
STATUSES: Final = (
    *(state.value for state in State if state not in _OUTSIDE),
    OPEN,
    State.UNVERIFIED.value,
    Outcome.UNDETERMINED.value,
    Outcome.EXCEPTED.value,
    State.RESOLVED.value,
)
OWNER_STATES: Final = {
    "active": "active",
    "disabled": "disabled",
    "left_org": "left the organization",
    "no_project_access": "no access to the project",
    "service_account_missing": "service account deleted",
}
_UNKNOWN: Final = -1
_SEVERITIES: Final = {severity: number for number, severity in enumerate(Severity)}
_STATUSES: Final = {status: number for number, status in enumerate(STATUSES)}
_MINUTE: Final = 60

Row = list[Any]


def page_data(result: ScanResult) -> str:
    """Return the page's data as JSON in plain ASCII that ends no script element."""
    tables = _Tables(result)
    standings = result.history.by_fingerprint() if result.history else {}
    rows = [tables.finding(finding, standings) for finding in result.findings]
    rows += [tables.standing(standing) for standing in _outside(result)]
    data = {
        "severities": [severity.value for severity in Severity],
        "statuses": STATUSES,
        "rules": list(tables.rules.values()),
        "projects": tables.projects.rows,
        "owners": tables.owners.rows,
        "keys": tables.keys.rows,
        "texts": [visible(text) for text in tables.texts],
        "findings": rows,
    }
    return (
        json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("\x7f", "\\u007f")
    )


def _outside(result: ScanResult) -> tuple[Standing, ...]:
    """Return what tonight's findings do not hold: carried over, and resolved in these nights."""
    if result.history is None:
        return ()
    closed = (Standing(State.RESOLVED, case) for case in result.history.closed)
    return (*result.history.of(*_OUTSIDE), *closed)


class _Numbers(dict[Any, int]):
    """Gives each thing that it is asked for a number, the first time."""

    def __missing__(self, thing: Hashable) -> int:
        number = self[thing] = len(self)
        return number


class _Named:
    """Rows that begin with a name, in its order, and the number of each by what it is."""

    def __init__(self, rows: Iterable[tuple[Hashable, Row]]) -> None:
        ordered = sorted(
            dict(rows).items(), key=lambda item: ((item[1][0] or "").casefold(), str(item[0]))
        )
        self.rows = [row for _, row in ordered]
        self.numbers = {thing: number for number, (thing, _) in enumerate(ordered)}


class _Tables:
    """What findings share."""

    def __init__(self, result: ScanResult) -> None:
        keys = {finding.key.id: finding for finding in result.findings}
        standings = _outside(result)
        cases = {s.case.key_id: s.case for s in standings if s.case.key_id not in keys}
        self.rules: dict[str, Row] = {}
        for tally in result.rules:
            rule = tally.rule
            self.rules[rule.id] = [
                rule.id,
                *map(visible, (rule.title, rule.why, rule.fix)),
                rule.controls,
            ]
        for standing in standings:
            case = standing.case
            self.rules.setdefault(case.rule, [case.rule, visible(case.title), "", "", ()])
        self._rules = {rule: number for number, rule in enumerate(self.rules)}
        self.projects = _Named(
            [
                *_projects(keys.values()),
                *(_project_of(case) for case in cases.values() if case.project_id),
            ]
        )
        self.owners = _Named(
            [*map(_owner, keys.values()), *(_owner_of(case) for case in cases.values())]
        )
        self.keys = _Named(
            [
                *((key_id, self._key(finding)) for key_id, finding in keys.items()),
                *((key_id, self._key_of(case)) for key_id, case in cases.items()),
            ]
        )
        self.texts = _Numbers()
        self._moments: dict[datetime, int] = {}

    def finding(self, finding: Finding, standings: dict[str, Standing]) -> Row:
        """Return the row of a finding of tonight."""
        fingerprint = finding.fingerprint
        words = [self.texts[in_words(evidence)] for evidence in finding.evidence]
        if finding.outcome is not Outcome.VIOLATED:
            status, first_seen = finding.outcome.value, None
            if finding.exception:
                text = finding.exception
                ticket = f", {text.ticket}" if text.ticket else ""
                words.append(
                    self.texts[
                        f"excepted until {text.expires}: {text.reason} ({text.owner}{ticket})"
                    ]
                )
        elif fingerprint in standings:
            standing = standings[fingerprint]
            status, first_seen = standing.state.value, standing.case.first_seen
            if standing.before:
                words.append(self.texts[f"was {standing.before.value} before"])
        else:
            status, first_seen = OPEN, None
        return self._row(
            finding.rule.id,
            finding.severity,
            finding.key.id,
            status,
            first_seen,
            fingerprint,
            words,
        )

    def standing(self, standing: Standing) -> Row:
        """Return the row of a case that tonight's findings do not hold."""
        case = standing.case
        if case.resolved_at and case.resolution:
            how = f"on {case.resolved_at:%Y-%m-%d}: {case.resolution.words}"
        else:
            how = f"since {case.last_seen:%Y-%m-%d}: {standing.reason}"
        words = [self.texts[f"{standing.state.value} {how}"]]
        return self._row(
            case.rule,
            case.severity,
            case.key_id,
            standing.state.value,
            case.first_seen,
            case.fingerprint,
            words,
        )

    def _row(  # noqa: PLR0913, PLR0917 - a row's cells
        self,
        rule: str,
        severity: Severity,
        key_id: str,
        status: str,
        first_seen: datetime | None,
        fingerprint: str,
        words: list[int],
    ) -> Row:
        return [
            self._rules[rule],
            _SEVERITIES[severity],
            self.keys.numbers[key_id],
            _STATUSES[status],
            self._minutes(first_seen),
            fingerprint,
            words,
        ]

    def _minutes(self, moment: datetime | Unknown | None) -> int | None:
        if moment is None:
            return None
        return _UNKNOWN if isinstance(moment, Unknown) else int(moment.timestamp()) // _MINUTE

    def _key(self, finding: Finding) -> Row:
        key = finding.key
        moments = (key.created_at, key.last_used_at, key.expires_at)
        return [
            visible(key.name or "unnamed"),
            visible(key.id),
            visible(key.redacted_value),
            self.projects.numbers[finding.project.id] if finding.project else _UNKNOWN,
            self.owners.numbers[_owner(finding)[0]],
            *map(self._minutes, moments),
        ]

    def _key_of(self, case: Case) -> Row:
        return [
            visible(case.key_name or "unnamed"),
            visible(case.key_id),
            visible(case.redacted_value),
            self.projects.numbers[case.project_id] if case.project_id else _UNKNOWN,
            self.owners.numbers[_owner_of(case)[0]],
            *(_UNKNOWN,) * 3,
        ]


def _projects(findings: Iterable[Finding]) -> Iterator[tuple[Hashable, Row]]:
    for project in {f.project.id: f.project for f in findings if f.project}.values():
        state = "" if isinstance(project.state, Unknown) else project.state.value
        yield project.id, [visible(project.name or project.id), visible(project.id), state]


def _project_of(case: Case) -> tuple[Hashable, Row]:
    project_id = case.project_id or ""
    return project_id, [visible(case.project_name or project_id), visible(project_id), ""]


def _owner(finding: Finding) -> tuple[Hashable, Row]:
    owner, state = finding.key.owner, finding.owner_state
    owner_id = "" if isinstance(owner.id, Unknown) else owner.id
    told = "unknown" if isinstance(state, Unknown) else OWNER_STATES[state]
    email = finding.owner_email or ""
    row = [
        visible(owner.name or owner_id or email or "unknown"),
        visible(email),
        visible(owner_id),
        told,
    ]
    return tuple(row), row


def _owner_of(case: Case) -> tuple[Hashable, Row]:
    owner_id, email = case.owner_id or "", case.owner_email or ""
    row = [
        visible(case.owner_name or owner_id or email or "unknown"),
        visible(email),
        visible(owner_id),
        "",
    ]
    return tuple(row), row
