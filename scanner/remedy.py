"""The remedy: findings, and what their rules ask for -> a plan of revocations. Pure.

A candidate is one key that violates one rule that asks for revocation. Every guard looks at it;
one objection is enough to let the key be. What none objects to waits until its time has come. If
then more is due than the bounds allow, nothing is: that many keys at once are a mistake in a policy
more often than a bad night.
"""

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from scanner.figures import format_amount
from scanner.finding import Finding, Outcome
from scanner.guards import GUARDS, Candidate, Known, objections
from scanner.inventory import CoverageState, Inventory, Unknown
from scanner.plausible import clock_problem
from scanner.policy.model import Policy, Response
from scanner.policy.subject import subjects
from scanner.receipt import revoked_since
from scanner.result import ScanResult
from scanner.revocation import Action, Bounds, Held, Plan, Told
from scanner.words import in_words

PLAN_HOLDS: Final = timedelta(hours=24)
DAY: Final = timedelta(hours=24)
_FORGOTTEN: Final = timedelta(days=4)
"""So long after people last heard of it they have to be told once more."""
_LAST_CALL: Final = timedelta(days=1)
_OVERNIGHT: Final = timedelta(hours=20)
"""What people have at least between hearing of it and its being done, if they are given so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a scan saw, and what is known beside it."""

    result: ScanResult
    inventory: Inventory
    policies: Sequence[Policy]
    bounds: Bounds
    known: Known


def make_plan_of_revocation(scene: Scene, only: Container[str] | None = None) -> Plan:
    """Return what is to be revoked of what a scan found, as of the moment of the scan.

    `only` are the ids of the keys that it is to be about, None: all.
    """
    result, inventory, bounds = scene.result, scene.inventory, scene.bounds
    now = result.started_at
    held: list[Held] = []
    actions: dict[str, Action] = {}
    candidates: dict[str, Candidate] = {}
    for candidate in _candidates(scene):
        if only is not None and candidate.finding.key.id not in only:
            continue
        reasons = tuple(objections(candidate))
        if reasons:
            held.append(_held(candidate, reasons))
            continue
        action = _action(candidate)
        mildest = min(actions.get(action.key_id, action), action, key=_mildest)
        if mildest is action:
            actions[action.key_id], candidates[action.key_id] = action, candidate
    due = sorted((a for a in actions.values() if a.due_at <= now), key=_order)
    waiting = sorted((a for a in actions.values() if a.due_at > now), key=_order)
    today = revoked_since((*scene.known.elsewhere, *scene.known.acts), now - DAY)
    refusal = _over_the_bounds(len(due), today, len(inventory.keys), bounds) if due else ""
    return Plan(
        scan_id=result.id,
        organization=result.organization or "",
        made_at=now,
        expires_at=now + PLAN_HOLDS,
        policies=digest_of(scene.policies),
        inventory=_digest(repr(key) for key in sorted(inventory.keys, key=lambda key: key.id)),
        due=() if refusal else tuple(due),
        waiting=tuple(waiting),
        held=(*held, *(_held(candidates[a.key_id], (refusal,)) for a in due if refusal)),
        refusal=refusal,
    )


def _candidates(scene: Scene) -> Iterator[Candidate]:
    """Yield each violation whose rule asks for revocation: excepted and undetermined are none."""
    result = scene.result
    rules = {rule.text.id: rule for policy in scene.policies for rule in policy.rules}
    asking = {name: rule.respond for name, rule in rules.items() if rule.respond}
    found = [
        finding
        for finding in result.findings
        if finding.outcome is Outcome.VIOLATED and finding.rule.id in asking
    ]
    if not found:
        return
    seen = {subject.key.id: subject for subject in subjects(scene.inventory, result.started_at)}
    standings = result.history.by_fingerprint() if result.history else {}
    gaps = frozenset(
        (row.collection, row.project_id)
        for row in result.coverage
        if row.state is not CoverageState.COMPLETE
    )
    for finding in found:
        standing = standings.get(finding.fingerprint)
        yield Candidate(
            finding=finding,
            rule=rules[finding.rule.id],
            response=asking[finding.rule.id],
            subject=seen[finding.key.id],
            opened_at=standing.case.opened_at if standing else None,
            gaps=gaps,
            ambiguous=frozenset(scene.inventory.ambiguous),
            clock_problem=clock_problem(result.clock_ahead),
            known=scene.known,
            bounds=scene.bounds,
        )


def most_a_day(keys: int, bounds: Bounds) -> int:
    """Return how many keys may be revoked within a day, in an organization of so many."""
    return min(bounds.max_keys, int(keys * bounds.max_percent // 100))


def _over_the_bounds(due: int, today: int, keys: int, bounds: Bounds) -> str:
    """Say why so many are too many, with those of the last 24 hours; or ""."""
    count = due + today
    if count <= most_a_day(keys, bounds):
        return ""
    are = "1 key is due" if due == 1 else f"{due:,} keys are due"
    what = f"{are} with the {today:,} of the last 24 hours" if today else are
    if count > bounds.max_keys:
        return f"{what}, and max_keys is {bounds.max_keys:,}: none is revoked"
    most = Decimal(str(bounds.max_percent))
    share = format_amount(Decimal(100 * count) / keys, most)
    return (
        f"{what}, which is {share}% of {keys:,}, and max_percent is {format_amount(most)}:"
        " none is revoked"
    )


def _due_at(told: Told, response: Response, now: datetime) -> datetime:
    """Return when the time is over that people are given, since they were told.

    Nobody is surprised: if nothing was heard of it lately, it is to be told once more first.
    """
    due_at = told.at + max(told.promise.after, response.after)
    if due_at <= now and now - told.last_at > _FORGOTTEN:
        return now + _LAST_CALL
    return max(due_at, told.last_at + min(_OVERNIGHT, response.after))


def _action(candidate: Candidate) -> Action:
    finding, told, owner = candidate.finding, candidate.told, candidate.finding.key.owner
    if told is None:
        raise ValueError("the guard lets nothing pass that was not announced")
    names = (None if isinstance(owner.id, Unknown) else owner.id, owner.name, finding.owner_email)
    return Action(
        key_id=finding.key.id,
        key_name=finding.key.name or "",
        redacted_value=finding.key.redacted_value,
        project_id=finding.key.project_id or "",
        project=_project(finding),
        owner=_owner(finding),
        owner_email=finding.owner_email or "",
        owners=tuple(name for name in names if name),
        method=candidate.response.revoke,
        expire_in=candidate.bounds.expire_in,
        due_at=_due_at(told, candidate.response, candidate.subject.now),
        announced_at=told.at,
        rule=finding.rule.id,
        severity=finding.severity,
        fingerprint=finding.fingerprint,
        evidence="; ".join(in_words(row) for row in finding.evidence),
        checked=tuple(guard.__name__.strip("_").replace("_", " ") for guard in GUARDS),
    )


def _held(candidate: Candidate, reasons: tuple[str, ...]) -> Held:
    finding = candidate.finding
    return Held(
        key_id=finding.key.id,
        key_name=finding.key.name or "",
        project=_project(finding),
        owner=_owner(finding),
        method=candidate.response.revoke,
        rule=finding.rule.id,
        fingerprint=finding.fingerprint,
        promise=candidate.promise,
        reasons=reasons,
    )


def digest_of(policies: Sequence[Policy]) -> str:
    """Return what changes if a rule, what it asks for, or an exception does: 16 hexadecimals."""
    parts = [f"{rule.definition} {rule.respond}" for one in policies for rule in one.rules]
    parts += [f"{row.text} {row.when}" for one in policies for row in one.exemptions]
    return _digest(parts)


def _project(finding: Finding) -> str:
    return (finding.project and finding.project.name) or finding.key.project_id or ""


def _owner(finding: Finding) -> str:
    return finding.owner_email or finding.key.owner.name or ""


def _mildest(action: Action) -> tuple[int, datetime, str]:
    return action.method.rank, action.due_at, action.rule


def _order(action: Action) -> tuple[datetime, int, str]:
    return action.due_at, action.severity.rank, action.key_id


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]
