"""The alerts of one scan: result x route -> announcements. Pure.

They follow from the history alone: what changed since the previous scan, and which reminders
became due between the two. So no two scans announce the same change.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from scanner.announcement import (
    MOST_ITEMS,
    NEWS,
    Announcement,
    Draft,
    Item,
    Route,
    Sink,
    Topic,
)
from scanner.coverage import by_collection
from scanner.finding import Finding
from scanner.inventory import Coverage, is_complete
from scanner.lifecycle import Standing, State
from scanner.prospect import Prospect, prospects
from scanner.result import ScanResult
from scanner.revocation import Mode
from scanner.routing import passes_case, passes_finding
from scanner.severity import Severity
from scanner.words import evidence_texts

_TOPICS: Final = {
    State.NEW: Topic.NEW,
    State.REOPENED: Topic.REOPENED,
    State.ESCALATED: Topic.ESCALATED,
    State.RESOLVED: Topic.RESOLVED,
}
_ORDER: Final = {topic: number for number, topic in enumerate(Topic)}
_NO_ADDRESS: Final = ""

_Told = tuple[Standing, Topic]
_Ahead = Mapping[str, Prospect]


def drafts(
    result: ScanResult,
    routes: Sequence[Route],
    known: Container[str],
    on_their_way: Container[str] = (),
) -> tuple[Draft, ...]:
    """Return the drafts of this scan's alerts; a quiet route without news gets none.

    `known` are the routes that had an alert before; the others get all open findings.
    `on_their_way` are the findings whose notice of a revocation is in a pending alert.
    """
    ahead = prospects(result, on_their_way)
    return tuple(
        draft
        for route in routes
        for draft in _of_route(result, route, ahead, is_new=route.name not in known)
    )


def announcement(result: ScanResult, route: Route) -> Announcement:
    """Return a route's announcement as if it were not quiet and not split by owner."""
    ahead = prospects(result, ())
    told = _told(result, route, ahead, is_new=False)
    return _announced(result, told, ahead, _open(result, route), _gaps(result.coverage))


def _of_route(result: ScanResult, route: Route, ahead: _Ahead, *, is_new: bool) -> Iterator[Draft]:
    changes = _told(result, route, ahead, is_new=is_new)
    if route.sink is not Sink.SLACK_OWNERS:
        gaps = _gaps(result.coverage)
        whole = _announced(result, changes, ahead, _open(result, route), gaps)
        whole = replace(whole, notices=tuple(_notices(result)))
        is_loud = whole.counts or whole.notices or not route.quiet
        if is_loud or (whole.gaps and _are_news(result, route)):
            yield Draft(route.name, route.sink, "", whole)
        return
    told: defaultdict[str, list[_Told]] = defaultdict(list)
    for one in changes:
        told[(one[0].case.owner_email or _NO_ADDRESS).casefold()].append(one)
    violations: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in _open(result, route):
        violations[(finding.owner_email or _NO_ADDRESS).casefold()].append(finding)
    for owner in sorted(told):
        own = _announced(result, told[owner], ahead, violations[owner], ())
        name = told[owner][0][0].case.owner_name or ""
        own = replace(own, owner=name if owner and "@" not in name else "")
        yield Draft(route.name, route.sink, owner, own)


def _announced(
    result: ScanResult,
    told: Iterable[_Told],
    ahead: _Ahead,
    violations: Sequence[Finding],
    gaps: Iterable[str],
) -> Announcement:
    ordered = sorted(told, key=_worst_first)
    by_severity = Counter(finding.severity for finding in violations)
    shown = {(one.case.rule, one.case.key_id) for one, _ in ordered[:MOST_ITEMS]}
    findings = {
        (finding.rule.id, finding.key.id): finding
        for finding in violations
        if (finding.rule.id, finding.key.id) in shown
    }
    return Announcement(
        scan_id=result.id,
        organization=result.organization or "OpenAI organization",
        at=result.started_at,
        policies=result.policies,
        keys=result.keys,
        keys_violating=len({finding.key.id for finding in violations}),
        by_severity={severity: by_severity[severity] for severity in Severity},
        counts=dict(Counter(topic for _, topic in ordered)),
        items=tuple(
            _item(
                standing,
                topic,
                findings.get((standing.case.rule, standing.case.key_id)),
                ahead.get(standing.case.fingerprint),
            )
            for standing, topic in ordered[:MOST_ITEMS]
        ),
        gaps=tuple(gaps),
    )


def _open(result: ScanResult, route: Route) -> list[Finding]:
    return [finding for finding in result.violations if passes_finding(finding, route)]


def _are_news(result: ScanResult, route: Route) -> bool:
    """Whether this is the first of several incomplete scans, or a reminder of them is due."""
    nights = result.history.nights if result.history else ()
    before = list(takewhile(lambda night: not night.complete, reversed(nights[:-1])))
    if not before:
        return True
    every, since, now = route.reminder, before[-1].started_at, result.started_at
    return every is not None and (now - since) // every > (before[0].started_at - since) // every


def _told(result: ScanResult, route: Route, ahead: _Ahead, *, is_new: bool) -> Iterator[_Told]:
    """Yield the finding records to announce, with their topics; all open ones if `is_new`."""
    history = result.history
    if history is None:
        return
    previous = history.previous.started_at if history.previous else None
    for standing in history.standings:
        if standing.state is State.NOT_EVALUATED or _ended_by_policy(standing):
            continue
        topic = None if standing.by_policy else _TOPICS.get(standing.state)
        if topic is None and _has_sunk(standing, route):
            topic = Topic.RESOLVED  # for this route
        prospect = ahead.get(standing.case.fingerprint)
        if topic is None and prospect and prospect.is_news:
            topic = Topic.DUE
        if topic is None and (
            is_new or _is_due(standing, route.reminder, previous, result.started_at)
        ):
            topic = Topic.REMINDER
        if topic is not None and _passes(standing, topic, route):
            yield standing, topic


def _ended_by_policy(standing: Standing) -> bool:
    return standing.by_policy and standing.state is State.RESOLVED


def _is_due(
    standing: Standing, every: timedelta | None, previous: datetime | None, now: datetime
) -> bool:
    """Whether a multiple of `every` since the finding opened fell after the previous scan."""
    if every is None or previous is None:
        return False
    found = standing.case.opened_at
    return (now - found) // every > max((previous - found) // every, 0)


def _worst_first(told: _Told) -> tuple[int, int, str, str, str]:
    """Sort news of any topic by severity, then the other topics in their order."""
    standing, topic = told
    case = standing.case
    return (
        0 if topic in NEWS else _ORDER[topic],
        case.severity.rank,
        case.rule,
        case.project_name or "",
        case.key_id,
    )


def _has_sunk(standing: Standing, route: Route) -> bool:
    """Whether the finding's severity fell below the route's minimum in this scan."""
    before, least = standing.before, route.severity.rank
    if before is None or standing.by_policy:
        return False
    return before.rank <= least < standing.case.severity.rank


def _passes(standing: Standing, topic: Topic, route: Route) -> bool:
    has_sunk = topic is Topic.RESOLVED and _has_sunk(standing, route)
    is_grave = standing.case.severity.rank <= route.severity.rank
    return (is_grave or has_sunk) and passes_case(standing.case, route)


def _item(
    standing: Standing, topic: Topic, finding: Finding | None, prospect: Prospect | None
) -> Item:
    case = standing.case
    return Item(
        fingerprint=case.fingerprint,
        topic=topic,
        severity=case.severity,
        before=standing.before,
        rule=case.rule,
        title=case.title,
        fix=finding.rule.fix if finding else "",
        evidence="; ".join(evidence_texts(finding.evidence)) if finding else "",
        key_id=case.key_id,
        key_name=case.key_name or "",
        redacted_value=case.redacted_value,
        project=case.project_name or case.project_id or "",
        owner=case.owner_name or case.owner_email or case.owner_id or "",
        owner_email=case.owner_email or "",
        since=case.opened_at,
        resolution=_resolution(standing, topic),
        revocation=prospect.words if prospect and topic is not Topic.RESOLVED else "",
        promise=prospect.promise if prospect and topic is not Topic.RESOLVED else None,
    )


def _resolution(standing: Standing, topic: Topic) -> str:
    if standing.case.resolution:
        return standing.case.resolution.words
    return f"now {standing.case.severity.value}" if topic is Topic.RESOLVED else ""


def _notices(result: ScanResult) -> Iterator[str]:
    """Yield why due keys are not revoked: each scan repeats it, as an operator must act."""
    revocation = result.revocation
    if revocation and revocation.mode is Mode.ENFORCE and revocation.plan.refusal:
        yield f"{revocation.plan.refusal}."


def _gaps(coverage: Iterable[Coverage]) -> Iterator[str]:
    """Yield one line for each listing that was not collected completely."""
    for row in by_collection(coverage):
        if not is_complete(row.gaps):
            more = f" (and {len(row.gaps) - 1:,} more)" if len(row.gaps) > 1 else ""
            yield f"{row.collection.value}: {row.gaps[0].reason or row.state.value}{more}"
