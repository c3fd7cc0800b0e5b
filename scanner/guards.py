"""What objects to revoking a key: one guard, one function, one sentence. Pure.

A guard that cannot tell objects: what could not be seen is no reason to revoke.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from scanner.durations import format_duration
from scanner.finding import Finding
from scanner.inventory import Collection, KeyKind, Unknown
from scanner.policy.model import Response, Rule
from scanner.policy.subject import Subject
from scanner.revocation import Bounds, Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beside the scan.

    `announced`: when each open finding was told of, by fingerprint. `own_keys`: ids that may be
    the scanner's own. `revoked`: ids of keys that were revoked already, `revoked_today` how many
    within a day.
    """

    announced: Mapping[str, datetime]
    own_keys: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    revoked_today: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One key that violates one rule that asks for revocation, and all that guards look at."""

    finding: Finding
    rule: Rule
    response: Response
    subject: Subject
    opened_at: datetime | None
    gaps: frozenset[tuple[Collection, str | None]]
    known: Known
    bounds: Bounds

    @property
    def announced_at(self) -> datetime | None:
        """When it was told of, since it was last found anew."""
        told = self.known.announced.get(self.finding.fingerprint)
        if told is None or self.opened_at is None or told < self.opened_at:
            return None
        return told


def objections(candidate: Candidate) -> Iterator[str]:
    """Yield every reason to let the key be."""
    for guard in GUARDS:
        objection = guard(candidate)
        if objection:
            yield objection


Guard = Callable[[Candidate], str]
"""Returns why a key is to be let be, or ""."""


def _is_announced(candidate: Candidate) -> str:
    return "" if candidate.announced_at else "nobody was told of the finding yet"


def _was_seen_whole(candidate: Candidate) -> str:
    """Ask that all was seen that the finding rests on, and all that stands around the key."""
    project = candidate.finding.key.project_id
    needed = {Collection.PROJECTS, Collection.PROJECT_KEYS, *candidate.rule.needs}
    missed = sorted(
        collection
        for collection, project_id in candidate.gaps
        if collection in needed and project_id in (None, project)
    )
    return f"not all could be seen of {', '.join(missed)}" if missed else ""


def _is_no_admin_key(candidate: Candidate) -> str:
    """Admin keys are let be, but for those that are named; and they can only be deleted."""
    key = candidate.finding.key
    if key.kind is KeyKind.PROJECT and key.project_id is not None:
        return ""
    if key.id not in candidate.bounds.admin_keys:
        return "it is, or may be, an admin key, and is not named in admin_keys"
    if candidate.response.revoke is not Method.DELETE:
        return "an admin key can only be deleted"
    return ""


def _is_not_our_own(candidate: Candidate) -> str:
    is_own = candidate.finding.key.id in candidate.known.own_keys
    return "it may be the key that this scan itself uses" if is_own else ""


def _is_not_protected(candidate: Candidate) -> str:
    key, project, bounds = candidate.finding.key, candidate.finding.project, candidate.bounds
    owner_id = None if isinstance(key.owner.id, Unknown) else key.owner.id
    owner = (owner_id, key.owner.name, candidate.finding.owner_email)
    what = (
        ("key", bounds.protected_keys, (key.id, key.name)),
        ("project", bounds.protected_projects, (key.project_id, project and project.name)),
        ("owner", bounds.protected_owners, owner),
    )
    for kind, globs, names in what:
        if any(name and fnmatchcase(name, glob) for glob in globs for name in names):
            return f"its {kind} is protected" if kind != "key" else "it is protected"
    return ""


def _is_old_enough(candidate: Candidate) -> str:
    age = candidate.subject.since(candidate.finding.key.created_at)
    if isinstance(age, Unknown):
        return f"its age is unknown: {age.reason}"
    least = candidate.bounds.min_age
    return f"it is younger than {format_duration(least)}" if age < least else ""


def _is_not_in_use(candidate: Candidate) -> str:
    used_at = candidate.subject.last_use
    if isinstance(used_at, Unknown):
        return f"its last use is unknown: {used_at.reason}"
    if used_at is None:
        return ""
    idle = candidate.subject.since(used_at)
    if isinstance(idle, Unknown):
        return f"its last use is unknown: {idle.reason}"
    recent = candidate.bounds.recent_use
    return f"it was used within {format_duration(recent)}" if idle < recent else ""


def _has_two_witnesses_for_deletion(candidate: Candidate) -> str:
    """Ask, before what cannot be undone, that usage says what `last_used_at` says."""
    if candidate.response.revoke is not Method.DELETE:
        return ""
    if not candidate.subject.directory.knows_usage:
        return "usage was not collected, and deleting asks for it (--collect all)"
    told, used_at = candidate.finding.key.last_used_at, candidate.subject.last_use
    return "" if used_at == told else "usage tells of a later use than the key does"


def _is_not_done(candidate: Candidate) -> str:
    is_done = candidate.finding.key.id in candidate.known.revoked
    return "it was revoked already" if is_done else ""


GUARDS: Final[tuple[Guard, ...]] = (
    _is_not_our_own,
    _is_no_admin_key,
    _is_not_protected,
    _was_seen_whole,
    _is_old_enough,
    _is_not_in_use,
    _has_two_witnesses_for_deletion,
    _is_not_done,
    _is_announced,
)
