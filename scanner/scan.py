"""One scan from start to end: collect, evaluate, compare, record."""

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
    """A finished scan, with the data needed to compare it with others."""

    result: ScanResult
    inventory: Inventory
    judgement: Judgement
    policies: tuple[Policy, ...]


def scan(
    collect: Collector, policies: Sequence[Policy], started_at: datetime, clock: Clock
) -> Scanned:
    """Collect the organization and evaluate it as of `started_at`, when collection began.

    Raise ApiError if the projects cannot be listed; other gaps are in the result's coverage.
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
    """Return the inventory with the first scan that found each owner gone.

    `cases` are open finding records; `definitions` are of the rules that prove it.
    """
    since: dict[str, datetime] = {}
    for case in cases:
        if case.owner_id is not None and definitions.get(case.rule) == case.definition:
            since[case.owner_id] = min(case.opened_at, since.get(case.owner_id, case.opened_at))
    return replace(inventory, absent_since=tuple(sorted(since.items())))


def compared(
    scanned: Scanned, past: Past, organization: str, identity: Identity | None = None
) -> ScanResult:
    """Return the result with its history: compared with the earlier scans. Raise StoreError.

    `organization` identifies the rows of the history, `identity` is the basis for that.
    """
    result = scanned.result
    rules = [rule for policy in scanned.policies for rule in policy.rules]
    violated = [finding.fingerprint for finding in result.violations]
    # Scans dated in the future ran while the clock was ahead: none is the previous scan.
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
    """Record a compared result with its snapshot, policies and alerts, in one transaction.

    Raise StoreError if that fails.
    """
    if result.history is not None:
        texts = {one.source.digest: one.text for policy in policies for one in policy.texts}
        # With a clock that is ahead, recent records may seem to be past their retention.
        forgets = (result.clock_ahead or timedelta()) <= CLOCKS_DIFFER
        store.record(lease, result.history, snapshot, told, texts, identified, forgets=forgets)


def _closed(
    past: Past, organization: str, standings: Sequence[Standing], nights: Sequence[Night]
) -> tuple[Case, ...]:
    """Return the records resolved in the scans shown, without those in this comparison."""
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
