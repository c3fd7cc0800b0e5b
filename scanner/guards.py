"""What objects to revoking a key: one guard, one function, one sentence. Pure.

A guard that cannot tell objects: what could not be seen is no reason to revoke.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final
from unicodedata import category, normalize

from scanner.collection import Collection
from scanner.durations import format_duration, format_exactly
from scanner.finding import Finding
from scanner.inventory import KeyKind, OwnerKind, Unknown
from scanner.plausible import CLOCKS_DIFFER
from scanner.policy.model import Response, Rule
from scanner.policy.subject import Subject
from scanner.receipt import Act, Result, undone
from scanner.revocation import READ_ONLY, UNTOLD, Bounds, Method, Promise, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beside the scan.

    `announced`: when people were told what is to become of a key, by the finding's fingerprint.
    `own_keys`: ids that may be the scanner's own. `acts`: all that was ever done, oldest first;
    `elsewhere`: the same of the organization's other histories, as it may have several names.
    """

    announced: Mapping[str, Told]
    own_keys: frozenset[str] = frozenset()
    acts: tuple[Act, ...] = ()
    elsewhere: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One key that violates one rule that asks for revocation, and all that guards look at.

    `clock_problem` is why the clock of the scan cannot be relied on, or "".
    """

    finding: Finding
    rule: Rule
    response: Response
    subject: Subject
    opened_at: datetime | None
    gaps: frozenset[tuple[Collection, str | None]]
    ambiguous: frozenset[str]
    clock_problem: str
    known: Known
    bounds: Bounds

    @property
    def promise(self) -> Promise:
        """What people have to be told."""
        return Promise(
            mode=self.bounds.mode,
            method=self.response.revoke,
            after=self.response.after,
            expire_in=self.bounds.expire_in,
            definition=self.rule.definition,
        )

    @property
    def told(self) -> Told | None:
        """When they were told as much, since the finding was last found anew."""
        told = self.known.announced.get(self.finding.fingerprint)
        if told is None or self.opened_at is None or told.at < self.opened_at:
            return None
        if told.at > self.subject.now + CLOCKS_DIFFER:  # dated by a clock that was ahead
            return None
        return told if told.promise.covers(self.promise) else None


def objections(candidate: Candidate) -> Iterator[str]:
    """Yield every reason to let the key be."""
    for guard in GUARDS:
        objection = guard(candidate)
        if objection:
            yield objection


_INVISIBLE: Final = frozenset({"Cc", "Cf"})
"""Unicode categories of letters that have no shape of their own."""
Guard = Callable[[Candidate], str]
"""Returns why a key is to be let be, or ""."""


def _has_verified_clock(candidate: Candidate) -> str:
    """Check the time of the scan: without it no age is certain, nor can a notice be dated."""
    return candidate.clock_problem


def _is_announced(candidate: Candidate) -> str:
    return "" if candidate.told else UNTOLD


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


def _has_unique_id(candidate: Candidate) -> str:
    is_ambiguous = candidate.finding.key.id in candidate.ambiguous
    return "its id is listed more than once" if is_ambiguous else ""


def _is_not_protected(candidate: Candidate) -> str:
    """Compare ids and names, also old and new ones of an owner, with what is protected."""
    key, project, bounds = candidate.finding.key, candidate.finding.project, candidate.bounds
    of_project = [(key.project_id,), (project.name if project else None,)]
    what = (
        ("it", bounds.protected_keys, [(key.id,), (key.name,)]),
        ("its project", bounds.protected_projects, [] if key.kind is KeyKind.ADMIN else of_project),
        ("its owner", bounds.protected_owners, _owner_names(candidate)),
    )
    for kind, globs, names in what:
        known = [[name for name in same if name] for same in names]
        if any(_fits(name, glob) for glob in globs for same in known for name in same):
            return f"{kind} is protected"
        if globs and not all(known):
            return f"{kind} may be protected: its name is unknown"
    return ""


def _owner_names(candidate: Candidate) -> list[tuple[str | None, ...]]:
    """Return the id, the names and the addresses by which a key's owner is known."""
    key, user = candidate.finding.key, candidate.subject.user
    owner, account = key.owner, candidate.subject.directory.account_of(key)
    current = user or account
    owner_id = None if isinstance(owner.id, Unknown) else owner.id
    names = [(owner_id,), (owner.name, current.name if current else None)]
    if owner.kind is not OwnerKind.SERVICE_ACCOUNT:
        names.append((owner.email, user.email if user else None))
    return names


def _fits(name: str, glob: str) -> bool:
    """Compare as people read: by the letters, in any case and encoding, and what is visible.

    `[` begins a set of letters, as in globs, or is itself, as in names.
    """
    name, glob = _comparable(name), _comparable(glob)
    return fnmatchcase(name, glob) or fnmatchcase(name, glob.replace("[", "[[]"))


def _comparable(text: str) -> str:
    text = normalize("NFKC", normalize("NFKC", text).casefold())
    return "".join(letter for letter in text if category(letter) not in _INVISIBLE).strip()


def _has_known_state(candidate: Candidate) -> str:
    state = candidate.subject.key.state(candidate.subject.now)
    return f"whether it is live is unknown: {state}" if isinstance(state, Unknown) else ""


def _is_old_enough(candidate: Candidate) -> str:
    age = candidate.subject.since(candidate.finding.key.created_at)
    if isinstance(age, Unknown):
        return f"its age is unknown: {age.reason}"
    least = candidate.bounds.min_age
    if age >= least:
        return ""
    return f"it is {format_duration(age, least)} old, younger than {format_exactly(least)}"


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
    if idle >= recent:
        return ""
    return f"it was used {format_duration(idle, recent)} ago, within {format_exactly(recent)}"


def _has_two_witnesses_for_deletion(candidate: Candidate) -> str:
    """Ask, before what cannot be undone, that usage says what `last_used_at` says."""
    if candidate.response.revoke is not Method.DELETE:
        return ""
    if not candidate.subject.directory.knows_usage:
        return "usage could not be seen, and deleting asks for it"
    told, used_at = candidate.finding.key.last_used_at, candidate.subject.last_use
    return "" if used_at == told else "usage tells of a later use than the key does"


def _gains_no_time(candidate: Candidate) -> str:
    """Ask that an expiry does not come later than the key's own: that would help it to live on."""
    expires_at = candidate.finding.key.expires_at
    if candidate.response.revoke is Method.DELETE or not isinstance(expires_at, datetime):
        return ""  # when it expires, if that is unknown, another guard objects
    left = expires_at - candidate.subject.now
    if left <= timedelta():
        return "it has expired already"
    if candidate.response.revoke is Method.EXPIRE and left <= candidate.bounds.expire_in:
        return f"it expires by itself on {expires_at:%Y-%m-%d}"
    return ""


def _allows_no_more(candidate: Candidate) -> str:
    """Ask, before it is restricted to reading, that it may read everything now."""
    if candidate.response.revoke is not Method.RESTRICT:
        return ""
    events = candidate.subject.directory.events.get(candidate.finding.key.id, ())
    given = [event.scopes for event in events if event.scopes is not None]
    if not given:
        return "what it is allowed is unknown: the audit log does not tell"
    newest = given[-1]
    if isinstance(newest, Unknown):
        return f"what it is allowed is unknown: {newest.reason}"
    may_read_all = not newest or set(READ_ONLY) <= set(newest)
    return "" if may_read_all else "it is allowed less than reading everything already"


def _is_not_done(candidate: Candidate) -> str:
    """Ask that nothing was done to the key yet: what a person took back is theirs to decide."""
    key_id = candidate.finding.key.id
    acts = (*candidate.known.elsewhere, *candidate.known.acts)
    taken_back = undone(acts)
    for act in reversed(acts):
        intent, outcome = act
        if intent.key_id != key_id or intent.undoes:
            continue
        receipt = f"receipt {intent.receipt}"
        if intent.receipt in taken_back:
            return f"its revocation was taken back ({receipt}): except it, or revoke it by hand"
        if act.may_have_changed:
            certainly = outcome is not None and outcome.result is Result.DONE
            return f"it was{'' if certainly else ', or may have been,'} revoked already ({receipt})"
        is_same = intent.method is candidate.response.revoke
        if is_same and outcome and outcome.result is Result.REFUSED:
            return f"the API refused it before ({receipt}): {outcome.note}"
    return ""


GUARDS: Final[tuple[Guard, ...]] = (
    _is_not_our_own,
    _is_no_admin_key,
    _has_unique_id,
    _is_not_protected,
    _has_verified_clock,
    _was_seen_whole,
    _has_known_state,
    _is_old_enough,
    _is_not_in_use,
    _has_two_witnesses_for_deletion,
    _gains_no_time,
    _allows_no_more,
    _is_not_done,
    _is_announced,
)
