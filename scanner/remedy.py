"""Make a remediation plan from findings and the responses of their rules. Pure.

A candidate is one key that violates one rule that requests revocation. One reason from any guard
skips the key. The others wait for the end of their grace period. If more keys are due than the
limits allow, none is revoked: the cause is usually a mistake in a policy.
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
from scanner.words import evidence_texts

PLAN_HOLDS: Final = timedelta(hours=24)
DAY: Final = timedelta(hours=24)
_FORGOTTEN: Final = timedelta(days=4)
"""The age of the last delivered notice after which another notice is required."""
_LAST_CALL: Final = timedelta(days=1)
_OVERNIGHT: Final = timedelta(hours=20)
"""The least time between the last notice and the revocation, if the grace period allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The data that a plan is made from: the scan, its policies, the limits and the history."""

    result: ScanResult
    inventory: Inventory
    policies: Sequence[Policy]
    bounds: Bounds
    known: Known


def make_plan_of_revocation(scene: Scene, only: Container[str] | None = None) -> Plan:
    """Return the keys that are due, waiting or skipped at the time of the scan.

    `only` limits the plan to these key ids; None includes all keys.
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
    """Yield each violated finding whose rule requests revocation."""
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
    """Return how many of `keys` keys may be revoked within 24 hours."""
    return min(bounds.max_keys, int(keys * bounds.max_percent // 100))


def _over_the_bounds(due: int, today: int, keys: int, bounds: Bounds) -> str:
    """Return how the limit is exceeded, counting the last 24 hours (`today`); "" if it is not."""
    count = due + today
    if count <= most_a_day(keys, bounds):
        return ""
    what = f"Revocation limit exceeded: {due:,} key{'' if due == 1 else 's'} due"
    what += f" and {today:,} revoked in the last 24 hours" if today else ""
    if count > bounds.max_keys:
        return f"{what}, limit {bounds.max_keys:,} (max_keys); no key will be revoked"
    most = Decimal(str(bounds.max_percent))
    share = format_amount(Decimal(100 * count) / keys, most)
    return (
        f"{what}, {share}% of {keys:,}, limit {format_amount(most)}% (max_percent);"
        " no key will be revoked"
    )


def _due_at(told: Told, response: Response, now: datetime) -> datetime:
    """Return when the grace period ends that the notice started.

    If the last notice is too old, another one must be delivered first.
    """
    due_at = told.at + max(told.promise.after, response.after)
    if due_at <= now and now - told.last_at > _FORGOTTEN:
        return now + _LAST_CALL
    return max(due_at, told.last_at + min(_OVERNIGHT, response.after))


def _action(candidate: Candidate) -> Action:
    finding, told, owner = candidate.finding, candidate.told, candidate.finding.key.owner
    if told is None:
        raise ValueError("a candidate without a notice must be skipped by its guard")
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
        evidence="; ".join(evidence_texts(finding.evidence)),
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
    """Return a digest of all rules, responses and exceptions: 16 hexadecimal digits."""
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
