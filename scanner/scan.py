"""One scan from start to end: collect, judge, conclude, remember."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from scanner.announcement import Draft
from scanner.compare import compare
from scanner.finding import Judgement
from scanner.identity import Identified, Identity
from scanner.inventory import Inventory
from scanner.judge import judge
from scanner.lifecycle import Case, History, Night, Standing, State
from scanner.plausible import CLOCKS_DIFFER, clock_problem
from scanner.policy.model import Policy
from scanner.ports import Clock, Collector, Lease, Past, Store
from scanner.result import DisabledRule, ScanResult
from scanner.unlisted import unlisted_keys

_OWNER_LEFT: Final = "owner.state is left_org"
_NIGHTS_SHOWN: Final = 30
_CLOSED_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A finished scan, with what it takes to compare it with others."""

    result: ScanResult
    inventory: Inventory
    judgement: Judgement
    policies: tuple[Policy, ...]


def scan(
    collect: Collector, policies: Sequence[Policy], started_at: datetime, clock: Clock
) -> Scanned:
    """Walk the organization and judge it as of `started_at`, the moment the walk began.

    Raise ApiError if the projects cannot be listed; what else could not be seen is in the result.
    """
    inventory = collect()
    judgement = judge(inventory, policies, started_at)
    result = ScanResult(
        id=f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        started_at=started_at,
        finished_at=clock(),
        organization=inventory.organization,
        policies=tuple(policy.name for policy in policies),
        rules=judgement.rules,
        projects=len(inventory.projects),
        keys=len(inventory.keys),
        findings=judgement.findings,
        coverage=inventory.coverage,
        unlisted=unlisted_keys(inventory, started_at),
        clock_ahead=inventory.clock_ahead,
        exceptions=judgement.exceptions,
        sources=tuple(dict.fromkeys(one.source for policy in policies for one in policy.texts)),
        disabled=tuple(
            DisabledRule(id=rule_id, policy=policy.name, reason=reason)
            for policy in policies
            for rule_id, reason in policy.disabled.items()
        ),
    )
    return Scanned(
        result=result, inventory=inventory, judgement=judgement, policies=tuple(policies)
    )


def gone_by_history(policies: Sequence[Policy]) -> dict[str, str]:
    """Return the definitions of the rules whose open findings prove that an owner left, by id."""
    return {
        rule.text.id: rule.definition
        for policy in policies
        for rule in policy.rules
        if str(rule.violated_when) == _OWNER_LEFT
    }


def with_departures(
    inventory: Inventory, cases: Iterable[Case], definitions: Mapping[str, str]
) -> Inventory:
    """Return the inventory with the first scan that found each owner gone, by their open cases."""
    since: dict[str, datetime] = {}
    for case in cases:
        if case.owner_id is not None and definitions.get(case.rule) == case.definition:
            since[case.owner_id] = min(case.opened_at, since.get(case.owner_id, case.opened_at))
    return replace(inventory, absent_since=tuple(sorted(since.items())))


def compared(
    scanned: Scanned, past: Past, organization: str, identity: Identity | None = None
) -> ScanResult:
    """Return the result with its history: compared with the nights before. Raise StoreError.

    `organization` is what the rows of the history are kept under, `identity` how it was found.
    """
    result = scanned.result
    rules = [rule for policy in scanned.policies for rule in policy.rules]
    violated = [finding.fingerprint for finding in result.violations]
    # Scans in the future ran while the clock was ahead: none is the one before.
    before = None if clock_problem(result.clock_ahead) else result.started_at
    nights = past.nights(organization, _NIGHTS_SHOWN - 1, before=before)
    standings = compare(
        past.cases(organization, violated),
        scanned.inventory,
        scanned.judgement,
        rules,
        nights,
        result.started_at,
    )
    tonight = _night(result, organization, standings, scanned.policies)
    history = History(
        standings=standings,
        nights=(*nights, tonight),
        closed=_closed(past, organization, standings, nights),
    )
    return replace(
        result,
        organization=result.organization or (identity.name if identity else organization),
        history=history,
        history_name=organization,
        renamed_from=identity.renamed_from if identity else None,
    )


def remember(  # noqa: PLR0913 - all that one transaction records
    result: ScanResult,
    store: Store,
    lease: Lease,
    snapshot: bytes,
    told: Iterable[Draft] = (),
    *,
    policies: Iterable[Policy] = (),
    identified: Identified | None = None,
) -> None:
    """Record a compared result, the snapshot and the policies it rests on, and its alerts.

    Raise StoreError if that cannot be done as a whole.
    """
    if result.history is not None:
        texts = {one.source.digest: one.text for policy in policies for one in policy.texts}
        # Under a clock that is ahead everything may seem old.
        forgets = (result.clock_ahead or timedelta()) <= CLOCKS_DIFFER
        store.record(lease, result.history, snapshot, told, texts, identified, forgets=forgets)


def _closed(
    past: Past, organization: str, standings: Sequence[Standing], nights: Sequence[Night]
) -> tuple[Case, ...]:
    """Return what was resolved in the nights shown, and is not what tonight tells of."""
    if not nights:
        return ()
    told = {standing.case.fingerprint for standing in standings}
    closed = past.closed(organization, nights[0].started_at, _CLOSED_SHOWN)
    return tuple(case for case in closed if case.fingerprint not in told)


def _night(
    result: ScanResult,
    organization: str,
    standings: Sequence[Standing],
    policies: Sequence[Policy],
) -> Night:
    totals = result.totals()
    resolved = [standing.case for standing in standings if standing.state is State.RESOLVED]
    remedied = [case for case in resolved if case.resolution and case.resolution.is_remedy]
    took = (max(result.started_at - case.opened_at, timedelta()) for case in remedied)
    return Night(
        scan_id=result.id,
        organization=organization,
        started_at=result.started_at,
        finished_at=result.finished_at,
        policies=result.policies,
        complete=result.complete,
        projects=totals.projects,
        keys=totals.keys,
        by_severity=totals.by_severity,
        excepted=totals.excepted,
        undetermined=totals.undetermined,
        opened=sum(s.state in (State.NEW, State.REOPENED) for s in standings),
        resolved=len(resolved),
        unverified=sum(standing.state is State.UNVERIFIED for standing in standings),
        remedied=len(remedied),
        remedy_time=sum(took, timedelta()),
        sources=result.sources,
        not_evaluated=sum(standing.state is State.NOT_EVALUATED for standing in standings),
        rules={rule.text.id: rule.definition for policy in policies for rule in policy.rules},
    )
