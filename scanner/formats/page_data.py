"""The findings in the form that the page's script reads: tables, and columns of row numbers.

Values shared by findings (rules, projects, owners, keys, evidence) are written once. Keys, projects
and owners are sorted by name, so that the page sorts by number. Times are minutes since 1970;
-1: unknown; -2: never.
"""

import json
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from scanner.display import visible
from scanner.finding import ExceptionText, Finding, Outcome, OwnerState
from scanner.inventory import Unknown
from scanner.lifecycle import Case, Standing, State
from scanner.result import ScanResult
from scanner.severity import Severity
from scanner.words import evidence_texts

OPEN: Final = "open"
"""The status of a violation without a history."""
ORGANIZATION: Final = "organization"
"""The project name shown for keys without a project."""
_OUTSIDE: Final = (State.UNVERIFIED, State.NOT_EVALUATED, State.RESOLVED)
"""Statuses of findings from earlier scans only."""
STATUSES: Final = (
    *(state.value for state in State if state not in _OUTSIDE),
    OPEN,
    State.UNVERIFIED.value,
    State.NOT_EVALUATED.value,
    Outcome.UNDETERMINED.value,
    Outcome.EXCEPTED.value,
    State.RESOLVED.value,
)
OWNER_STATES: Final = {
    "active": "active",
    "disabled": "disabled",
    "left_org": "left the organization",
    "no_project_access": "no project access",
    "service_account_missing": "service account deleted",
}
_UNKNOWN: Final = -1
_NEVER: Final = -2
_KEY: Final = ("name", "id", "value", "project", "owner", "created", "used", "expires")
_FINDING: Final = ("rule", "severity", "key", "status", "seen", "text")
"""The columns."""
_SEVERITIES: Final = {severity: number for number, severity in enumerate(Severity)}
_STATUSES: Final = {status: number for number, status in enumerate(STATUSES)}
_MINUTE: Final = 60

Row = list[Any]


def page_data(result: ScanResult, no_project: str) -> str:
    """Return the page's data as JSON in plain ASCII, safe inside a script element.

    `no_project` is the project id written for the keys of the organization itself.
    """
    tables = _Tables(result, no_project)
    standings = result.history.by_fingerprint() if result.history else {}
    rows = [tables.finding(finding, standings) for finding in result.findings]
    rows += [tables.standing(standing) for standing in _outside(result)]
    findings = _columns((*_FINDING, "fingerprints"), rows)
    data = {
        "severities": [severity.value for severity in Severity],
        "statuses": STATUSES,
        "rules": list(tables.rules.values()),
        "projects": tables.projects.rows,
        "owners": tables.owners.rows,
        "keys": _columns(_KEY, tables.keys.rows),
        "texts": [visible(text) for text in tables.texts],
        "findings": findings | {"fingerprints": "".join(findings["fingerprints"])},
    }
    return (
        json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("\x7f", "\\u007f")
    )


def word_for_no_project(result: ScanResult) -> str:
    """Return a word that is neither the name nor the id of a project in the report."""
    projects = {f.project.id: f.project.name for f in result.findings if f.project}
    projects |= {s.case.project_id or "": s.case.project_name for s in _outside(result)}
    taken = {visible(text or "").lower() for text in (*projects, *projects.values())}
    word = ORGANIZATION
    while word in taken:
        word = f"({word})"
    return word


def exception_in_words(text: ExceptionText) -> str:
    """Return expiry, reason and owner of an exception: the end of a finding's evidence."""
    ticket = f", {text.ticket}" if text.ticket else ""
    return f"excepted until {text.expires}: {text.reason} ({text.owner}{ticket})"


def _columns(names: tuple[str, ...], rows: list[Row]) -> dict[str, Any]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return dict(zip(names, columns, strict=True))


def _outside(result: ScanResult) -> tuple[Standing, ...]:
    """Return the records without a finding in this scan: unverified, not evaluated, resolved."""
    if result.history is None:
        return ()
    closed = (Standing(State.RESOLVED, case) for case in result.history.closed)
    return (*result.history.of(*_OUTSIDE), *closed)


class _Numbers(dict[Any, int]):
    """Numbers each value on its first lookup."""

    def __missing__(self, thing: Hashable) -> int:
        number = self[thing] = len(self)
        return number


class _Named:
    """Rows sorted by their first cell, the name; and the number of each row by its identity."""

    def __init__(self, rows: Iterable[tuple[Hashable, Row]]) -> None:
        ordered = sorted(
            dict(rows).items(), key=lambda item: ((item[1][0] or "").casefold(), str(item[0]))
        )
        self.rows = [row for _, row in ordered]
        self.numbers = {thing: number for number, (thing, _) in enumerate(ordered)}


class _Tables:
    """The tables that findings refer to."""

    def __init__(self, result: ScanResult, no_project: str) -> None:
        keys = {finding.key.id: finding for finding in result.findings}
        standings = _outside(result)
        cases = {s.case.key_id: s.case for s in standings if s.case.key_id not in keys}
        self.rules: dict[str, Row] = {}
        for tally in result.rules:
            rule = tally.rule
            self.rules[rule.id] = [
                *map(visible, (rule.id, rule.defect, rule.why, rule.fix)),
                tuple(map(visible, rule.controls)),
            ]
        for standing in standings:
            case = standing.case
            self.rules.setdefault(case.rule, [visible(case.rule), visible(case.title), "", "", ()])
        self._rules = {rule: number for number, rule in enumerate(self.rules)}
        self.projects = _Named(
            [
                *_projects(keys.values(), no_project),
                *(_project_of(case, no_project) for case in cases.values()),
            ]
        )
        self.owners = _Named(_owners([*map(_who, keys.values()), *map(_who_of, cases.values())]))
        self.keys = _Named(
            [
                *((key_id, self._key(finding)) for key_id, finding in keys.items()),
                *((key_id, self._key_of(case)) for key_id, case in cases.items()),
            ]
        )
        self.texts = _Numbers()
        self._moments: dict[datetime, int] = {}

    def finding(self, finding: Finding, standings: dict[str, Standing]) -> Row:
        """Return the row of a finding of this scan."""
        fingerprint = finding.fingerprint
        words = evidence_texts(finding.evidence)
        if finding.outcome is not Outcome.VIOLATED:
            status, first_seen = finding.outcome.value, None
            if finding.exception:
                words.append(exception_in_words(finding.exception))
        elif fingerprint in standings:
            standing = standings[fingerprint]
            status, first_seen = standing.state.value, standing.case.first_seen
            if standing.before:
                words.append(f"was {standing.before.value} before")
        else:
            status, first_seen = OPEN, None
        return [
            self._rules[finding.rule.id],
            _SEVERITIES[finding.severity],
            self.keys.numbers[finding.key.id],
            _STATUSES[status],
            self._minutes(first_seen),
            self.texts["; ".join(words)],
            fingerprint,
        ]

    def standing(self, standing: Standing) -> Row:
        """Return the row of a record without a finding in this scan."""
        case = standing.case
        if case.resolved_at and case.resolution:
            words = f"resolved on {case.resolved_at:%Y-%m-%d}: {case.resolution.words}"
        elif standing.state is State.NOT_EVALUATED:
            words = f"not evaluated since {case.last_seen:%Y-%m-%d}"
        else:
            words = f"unverified since {case.last_seen:%Y-%m-%d}: {standing.reason}"
        return [
            self._rules[case.rule],
            _SEVERITIES[case.severity],
            self.keys.numbers[case.key_id],
            _STATUSES[standing.state.value],
            self._minutes(case.first_seen),
            self.texts[words],
            case.fingerprint,
        ]

    def _minutes(self, moment: datetime | Unknown | None) -> int:
        if moment is None:
            return _NEVER
        return _UNKNOWN if isinstance(moment, Unknown) else int(moment.timestamp()) // _MINUTE

    def _key(self, finding: Finding) -> Row:
        key = finding.key
        moments = (key.created_at, key.last_used_at, key.expires_at)
        return [
            visible(key.name or "unnamed"),
            visible(key.id),
            visible(key.redacted_value),
            self.projects.numbers[finding.project.id if finding.project else None],
            self.owners.numbers[_who(finding)],
            *map(self._minutes, moments),
        ]

    def _key_of(self, case: Case) -> Row:
        return [
            visible(case.key_name or "unnamed"),
            visible(case.key_id),
            visible(case.redacted_value),
            self.projects.numbers[case.project_id or None],
            self.owners.numbers[_who_of(case)],
            *(_UNKNOWN,) * 3,
        ]


def _projects(findings: Iterable[Finding], no_project: str) -> Iterator[tuple[Hashable, Row]]:
    for project_id, project in {f.project and f.project.id: f.project for f in findings}.items():
        if project is None:
            yield None, [ORGANIZATION, no_project, None]
        else:
            state = "" if isinstance(project.state, Unknown) else project.state.value
            yield project_id, [visible(project.name or project.id), visible(project.id), state]


def _project_of(case: Case, no_project: str) -> tuple[Hashable, Row]:
    if not case.project_id:
        return None, [ORGANIZATION, no_project, None]
    return case.project_id, [
        visible(case.project_name or case.project_id),
        visible(case.project_id),
        "",
    ]


Who = tuple[str | None, str | None, str | Unknown | None, OwnerState | Unknown | None]
"""Name, address, id and state."""


def _who(finding: Finding) -> Who:
    owner = finding.key.owner
    return owner.name, finding.owner_email, owner.id, finding.owner_state


def _who_of(case: Case) -> Who:
    return case.owner_name, case.owner_email, case.owner_id, None


def _owners(everybody: Iterable[Who]) -> Iterator[tuple[Hashable, Row]]:
    for who in dict.fromkeys(everybody):
        name, email, owner_id, state = who
        known_id = owner_id if isinstance(owner_id, str) else ""
        told = "unknown" if isinstance(state, Unknown) else OWNER_STATES.get(state or "", "")
        texts = (name or known_id or email or "unknown", email or "", known_id)
        yield who, [*map(visible, texts), told]
