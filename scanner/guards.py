"""Guards: each function checks one condition and returns the reason to skip a key. Pure.

A guard whose data is unknown returns a reason: unknown data never allows a revocation.
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
    """Facts from the history and the settings that guards need beside the scan.

    `announced`: delivered notices by fingerprint of the finding. `own_keys`: ids of keys that the
    scanner itself may use. `acts`: all actions, oldest first; `elsewhere`: the actions in other
    histories of the organization, which may have several names.
    """

    announced: Mapping[str, Told]
    own_keys: frozenset[str] = frozenset()
    acts: tuple[Act, ...] = ()
    elsewhere: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One violation of a rule that requests revocation, with the data that guards check.

    `clock_problem` is the reason why the scan's clock is not verified, or "".
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
        """The content of the notice that must precede this revocation."""
        return Promise(
            mode=self.bounds.mode,
            method=self.response.revoke,
            after=self.response.after,
            expire_in=self.bounds.expire_in,
            definition=self.rule.definition,
        )

    @property
    def told(self) -> Told | None:
        """The notice that covers this revocation, delivered since the finding was opened."""
        told = self.known.announced.get(self.finding.fingerprint)
        if told is None or self.opened_at is None or told.at < self.opened_at:
            return None
        if told.at > self.subject.now + CLOCKS_DIFFER:  # dated by a clock that was ahead
            return None
        return told if told.promise.covers(self.promise) else None


def objections(candidate: Candidate) -> Iterator[str]:
    """Yield every reason to skip the key."""
    for guard in GUARDS:
        objection = guard(candidate)
        if objection:
            yield objection


_INVISIBLE: Final = frozenset({"Cc", "Cf"})
"""Unicode categories of invisible characters."""
Guard = Callable[[Candidate], str]
"""Returns the reason to skip a key, or ""."""


def _has_verified_clock(candidate: Candidate) -> str:
    """Require a verified clock: ages and the dates of notices depend on it."""
    problem = candidate.clock_problem
    return f"Clock is not verified: {problem}" if problem else ""


def _is_announced(candidate: Candidate) -> str:
    return "" if candidate.told else UNTOLD


def _was_seen_whole(candidate: Candidate) -> str:
    """Require complete listings of projects, keys, and the data that the rule needs."""
    project = candidate.finding.key.project_id
    needed = {Collection.PROJECTS, Collection.PROJECT_KEYS, *candidate.rule.needs}
    missed = sorted(
        collection
        for collection, project_id in candidate.gaps
        if collection in needed and project_id in (None, project)
    )
    return f"Not completely collected: {', '.join(missed)}" if missed else ""


def _is_no_admin_key(candidate: Candidate) -> str:
    """Skip admin keys, except those in admin_keys, which can only be deleted."""
    key = candidate.finding.key
    if key.kind is KeyKind.PROJECT and key.project_id is not None:
        return ""
    if key.id not in candidate.bounds.admin_keys:
        return "Key is, or may be, an admin key; only those in revocation.admin_keys are revoked"
    if candidate.response.revoke is not Method.DELETE:
        return "Admin keys can only be deleted"
    return ""


def _is_not_our_own(candidate: Candidate) -> str:
    is_own = candidate.finding.key.id in candidate.known.own_keys
    return "Key may be the admin key that this scan uses" if is_own else ""


def _has_unique_id(candidate: Candidate) -> str:
    is_ambiguous = candidate.finding.key.id in candidate.ambiguous
    return "Key id is listed more than once" if is_ambiguous else ""


def _is_not_protected(candidate: Candidate) -> str:
    """Match ids and names, including an owner's earlier ones, with the protection globs."""
    key, project, bounds = candidate.finding.key, candidate.finding.project, candidate.bounds
    of_project = [(key.project_id,), (project.name if project else None,)]
    what = (
        ("Key", bounds.protected_keys, [(key.id,), (key.name,)]),
        ("Project", bounds.protected_projects, [] if key.kind is KeyKind.ADMIN else of_project),
        ("Owner", bounds.protected_owners, _owner_names(candidate)),
    )
    for kind, globs, names in what:
        known = [[name for name in same if name] for same in names]
        if any(_fits(name, glob) for glob in globs for same in known for name in same):
            return f"{kind} is protected"
        if globs and not all(known):
            return f"{kind} may be protected: one of its identifiers is unknown"
    return ""


def _owner_names(candidate: Candidate) -> list[tuple[str | None, ...]]:
    """Return the id, the known names and the known addresses of a key's owner."""
    key, user = candidate.finding.key, candidate.subject.user
    owner, account = key.owner, candidate.subject.directory.account_of(key)
    current = user or account
    owner_id = None if isinstance(owner.id, Unknown) else owner.id
    names = [(owner_id,), (owner.name, current.name if current else None)]
    if owner.kind is not OwnerKind.SERVICE_ACCOUNT:
        names.append((owner.email, user.email if user else None))
    return names


def _fits(name: str, glob: str) -> bool:
    """Match a name with a glob, ignoring case, Unicode form and invisible characters.

    `[` matches both as the start of a set and as itself.
    """
    name, glob = _comparable(name), _comparable(glob)
    return fnmatchcase(name, glob) or fnmatchcase(name, glob.replace("[", "[[]"))


def _comparable(text: str) -> str:
    text = normalize("NFKC", normalize("NFKC", text).casefold())
    return "".join(letter for letter in text if category(letter) not in _INVISIBLE).strip()


def _has_known_state(candidate: Candidate) -> str:
    state = candidate.subject.key.state(candidate.subject.now)
    return f"Key state is unknown: {state}" if isinstance(state, Unknown) else ""


def _is_old_enough(candidate: Candidate) -> str:
    age = candidate.subject.since(candidate.finding.key.created_at)
    if isinstance(age, Unknown):
        return f"Key age is unknown: {age.reason}"
    least = candidate.bounds.min_age
    if age >= least:
        return ""
    old = format_duration(age, least)
    return f"Key is {old} old; keys younger than {format_exactly(least)} are skipped"


def _is_not_in_use(candidate: Candidate) -> str:
    used_at = candidate.subject.last_use
    if isinstance(used_at, Unknown):
        return f"Last use is unknown: {used_at.reason}"
    if used_at is None:
        return ""
    idle = candidate.subject.since(used_at)
    if isinstance(idle, Unknown):
        return f"Last use is unknown: {idle.reason}"
    recent = candidate.bounds.recent_use
    if idle >= recent:
        return ""
    ago = format_duration(idle, recent)
    return f"Key was used {ago} ago; keys used within {format_exactly(recent)} are skipped"


def _has_two_witnesses_for_deletion(candidate: Candidate) -> str:
    """Require that usage confirms `last_used_at` before a deletion, which cannot be undone."""
    if candidate.response.revoke is not Method.DELETE:
        return ""
    if not candidate.subject.directory.knows_usage:
        return "Usage was not collected, but deletion requires it"
    told, used_at = candidate.finding.key.last_used_at, candidate.subject.last_use
    return "" if used_at == told else "Usage shows a later use than last_used_at of the key"


def _gains_no_time(candidate: Candidate) -> str:
    """Skip a key whose own expiry is not later than the new one: it must not work longer."""
    expires_at = candidate.finding.key.expires_at
    if candidate.response.revoke is Method.DELETE or not isinstance(expires_at, datetime):
        return ""  # _has_known_state skips a key whose expiry is unknown
    left = expires_at - candidate.subject.now
    if left <= timedelta():
        return "Key has already expired"
    if candidate.response.revoke is Method.EXPIRE and left <= candidate.bounds.expire_in:
        return f"Key already expires on {expires_at:%Y-%m-%d}, before the new expiry"
    return ""


def _allows_no_more(candidate: Candidate) -> str:
    """Require full read access before a restriction to it: no permission must be added."""
    if candidate.response.revoke is not Method.RESTRICT:
        return ""
    events = candidate.subject.directory.events.get(candidate.finding.key.id, ())
    given = [event.scopes for event in events if event.scopes is not None]
    if not given:
        return "Permissions are unknown: not found in the audit log"
    newest = given[-1]
    if isinstance(newest, Unknown):
        return f"Permissions are unknown: {newest.reason}"
    may_read_all = not newest or set(READ_ONLY) <= set(newest)
    return "" if may_read_all else "Restriction would add permissions: key lacks full read access"


def _is_not_done(candidate: Candidate) -> str:
    """Skip a key that was already revoked. After an undo, only a person decides again."""
    key_id = candidate.finding.key.id
    acts = (*candidate.known.elsewhere, *candidate.known.acts)
    taken_back = undone(acts)
    for act in reversed(acts):
        intent, outcome = act
        if intent.key_id != key_id or intent.undoes:
            continue
        receipt = f"receipt {intent.receipt}"
        if intent.receipt in taken_back:
            return f"Revocation was undone ({receipt}): add an exception or revoke the key manually"
        if act.may_have_changed:
            certainly = outcome is not None and outcome.result is Result.DONE
            return f"Key {'was already' if certainly else 'may have been'} revoked ({receipt})"
        is_same = intent.method is candidate.response.revoke
        if is_same and outcome and outcome.result is Result.REFUSED:
            return f"API refused the same revocation before ({receipt}): {outcome.note}"
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
