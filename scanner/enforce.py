"""Apply a remediation plan, one key at a time.

For each key: read it again, evaluate it again, record the intent in the journal, send one request,
read the key again, record the outcome. The outcome is the state of the key as read, not the API's
response. While the effect is not visible, the intent stays open, and a later run reads the key
again: no change is requested twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from scanner.errors import ApiError, ApiForbidden, ApiRejected
from scanner.inventory import Unknown
from scanner.plausible import CLOCKS_DIFFER, clock_problem
from scanner.ports import Clock, Journal, Look, Revoker
from scanner.receipt import Act, Intent, Outcome, Result, Spared, revoked_since
from scanner.recheck import intent_of, judged_again
from scanner.remedy import DAY, Scene, most_a_day
from scanner.revocation import Action, Method, Plan

PATIENCE: Final = timedelta(minutes=10)
"""How long the effect of a request may be delayed."""
GIVEN_UP: Final = timedelta(days=7)
"""How long to retry reading a key to find the outcome of a change."""
_AWAKE: Final = timedelta(minutes=1)
"""The most time between the journal entry and the request."""
MAX_REFUSALS: Final = 3
"""Responses 403 in one run after which the remaining keys are skipped."""
REFUSED: Final = (
    f"API refused {MAX_REFUSALS} requests of this run (403); the admin key may lack permissions"
)
_SUSPENDED: Final = (
    "not requested: the process was suspended or the clock changed after the journal entry"
)
_BUSY: Final = 429
_REFUSALS: Final = frozenset(range(400, 500)) - {404, 408, 409}
"""The statuses which prove that the key was not changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a run needs to change keys. `by`: the actor for the journal.

    `stopped` returns the reason to change no further key, or "".
    """

    revoker: Revoker
    journal: Journal
    clock: Clock
    by: str
    stopped: Callable[[], str]


def carry_out(scene: Scene, plan: Plan, hands: Hands) -> Iterator[Act | Spared]:
    """Revoke the due keys; yield the result of each. Raise StoreError if the journal fails."""
    for action in plan.due:
        reason = hands.stopped()
        yield Spared(action, reason) if reason else _revoke(scene, action, hands)


def settle(hands: Hands) -> Iterator[Act]:
    """Read the key of each unfinished action again; yield those whose outcome is now known."""
    for act in hands.journal.acts():
        found = _late_outcome(act, hands) if act.is_open else None
        if found is not None:
            hands.journal.end(found)
            yield Act(act.intent, found)


def make(intent: Intent, hands: Hands) -> Act:
    """Request a recorded change, once; read the key; record the outcome if it is known.

    A process that was suspended since the journal entry requests no change: another run may have
    read the key meanwhile.
    """
    request_id, error = "", None
    if not timedelta() <= hands.clock() - intent.at <= _AWAKE:
        late = _noted(intent, hands, Result.FAILED, _SUSPENDED)
        hands.journal.end(late)
        return Act(intent, late)
    try:
        request_id = hands.revoker.change(intent)
    except ApiError as failure:
        request_id, error = failure.request_id or "", failure
    outcome = _outcome(intent, hands, error)
    if outcome is not None:
        outcome = replace(outcome, request_id=request_id)
        hands.journal.end(outcome)
    return Act(intent, outcome)


def rehearse(scene: Scene, plan: Plan, hands: Hands) -> Iterator[Intent | Spared]:
    """Read each due key again and yield the intended change, without making or recording it."""
    for action in plan.due:
        reason = hands.stopped()
        yield Spared(action, reason) if reason else _meant(scene, action, hands)


class _CountedRefusals:
    """Implements Revoker: counts the requests to which the API answered 403."""

    def __init__(self, revoker: Revoker) -> None:
        self.count = 0
        self._revoker = revoker

    def look(self, key_id: str, project_id: str | None, *, whole: bool = True) -> Look:
        """Read a key again and, for the `whole` look, its owner and project."""
        with self._counted():
            return self._revoker.look(key_id, project_id, whole=whole)

    def change(self, intent: Intent) -> str:
        """Request one change, once; return the request's id."""
        with self._counted():
            return self._revoker.change(intent)

    def scopes_given(self, key_id: str, since: datetime) -> tuple[str, ...] | None:
        """Return the newest scopes that a key received since a moment, or None."""
        return self._revoker.scopes_given(key_id, since)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except ApiForbidden:
            self.count += 1
            raise


def counting(hands: Hands) -> Hands:
    """Return hands for one run that stop after MAX_REFUSALS responses 403, also in `settle`."""
    revoker = _CountedRefusals(hands.revoker)

    def stopped() -> str:
        is_refused = revoker.count >= MAX_REFUSALS
        return REFUSED if is_refused else hands.stopped()

    return replace(hands, revoker=revoker, stopped=stopped)


def _meant(scene: Scene, action: Action, hands: Hands) -> Intent | Spared:
    """Read a key and evaluate it again; return the intended change, or the key as skipped."""
    try:
        look = hands.revoker.look(action.key_id, action.project_id or None)
    except ApiError as error:
        return Spared(action, f"Key could not be read again: {error}")
    problem = clock_problem(None if look.at is None else hands.clock() - look.at)
    if look.key is not None and problem:
        return Spared(action, f"Clock is not verified: {problem}")
    again = judged_again(scene, action, look, hands.clock())
    if isinstance(again, str) or look.key is None:
        return Spared(action, str(again))
    return intent_of(scene, again, look.key, hands.clock(), hands.by)


def _revoke(scene: Scene, action: Action, hands: Hands) -> Act | Spared:
    ids = scene.inventory.ids
    elsewhere, acts = hands.journal.acts_elsewhere(ids), hands.journal.acts()
    scene = replace(scene, known=replace(scene.known, acts=acts, elsewhere=elsewhere))
    intent = _meant(scene, action, hands)
    if isinstance(intent, Spared):
        return intent
    known = frozenset(act.intent.receipt for act in (*elsewhere, *acts))

    def objection(now: tuple[Act, ...]) -> str:
        if any(a.intent.key_id == intent.key_id and a.intent.receipt not in known for a in now):
            return "Another run is changing this key"
        most = most_a_day(len(scene.inventory.keys), scene.bounds)
        is_over = revoked_since(now, intent.at - DAY) >= most
        return f"Revocation limit reached: {most:,} in 24 hours" if is_over else ""

    reason = hands.journal.begin(intent, ids, objection)
    return Spared(action, reason) if reason else make(intent, hands)


def _outcome(intent: Intent, hands: Hands, error: ApiError | None) -> Outcome | None:
    """Return the outcome of a change that was just requested; None if it is not known yet."""
    if error is not None and error.status in _REFUSALS:
        may_go_better = isinstance(error, ApiForbidden | ApiRejected) or error.status == _BUSY
        result = Result.FAILED if may_go_better else Result.REFUSED
        return _noted(intent, hands, result, f"{error}")
    try:
        look = hands.revoker.look(intent.key_id, intent.project_id, whole=False)
    except ApiError:
        return None
    effect, seen = _effect(intent, look, hands, is_accepted=error is None)
    if effect:
        return replace(seen, result=Result.DONE, note=f"{error}" if error else "")
    if error is not None:
        return None
    if effect is None:
        return replace(seen, result=Result.DONE, note="accepted; the effect cannot be read")
    return replace(seen, result=Result.ACCEPTED, note="accepted; not visible on the key yet")


def _late_outcome(act: Act, hands: Hands) -> Outcome | None:
    """Return the outcome of an unfinished action; None if it is still not known."""
    intent, before = act
    age = hands.clock() - intent.at
    try:
        look = hands.revoker.look(intent.key_id, intent.project_id, whole=False)
    except ApiError as error:
        given_up = age >= GIVEN_UP
        return _noted(intent, hands, Result.UNKNOWN, f"{error}") if given_up else None
    effect, seen = _effect(intent, look, hands, is_accepted=before is not None)
    if effect:
        return replace(seen, result=Result.DONE)
    if age < PATIENCE:
        return None
    if before is not None or effect is None:
        unseen = "no response was received, and the effect cannot be read"
        return replace(seen, note="accepted, but never visible on the key" if before else unseen)
    if clock_problem(None if look.at is None else hands.clock() - look.at):
        return None  # the time that has passed is unknown
    return replace(
        seen, result=Result.FAILED, note="no response was received, and no effect is visible"
    )


def _effect(
    intent: Intent, look: Look, hands: Hands, *, is_accepted: bool
) -> tuple[bool | None, Outcome]:
    """Return whether a change had its effect, according to the re-read key; None if unreadable.

    Unless the API accepted the change (`is_accepted`), the expiry must be the intended one: an
    owner may have set another.
    """
    seen = _noted(intent, hands, Result.UNKNOWN)
    if look.key is None:
        return (intent.method is Method.DELETE or None), replace(seen, is_gone=True)
    told = look.key.expires_at
    expires_at = None if isinstance(told, Unknown) else told
    seen = replace(seen, expires_at=expires_at)
    match intent.method:
        case Method.DELETE:
            return False, seen
        case Method.RESTRICT:
            return _was_given(intent, hands), seen
        case Method.EXPIRE if isinstance(told, Unknown):
            return None, seen
        case Method.EXPIRE:
            meant = intent.at + timedelta(seconds=intent.expires_in)
            is_changed = expires_at is not None and expires_at != intent.expires_at
            is_meant = is_accepted or abs((expires_at or meant) - meant) <= CLOCKS_DIFFER
            return is_changed and is_meant, seen


def _was_given(intent: Intent, hands: Hands) -> bool | None:
    """Whether the audit log shows that the key received these scopes; the key does not show it."""
    try:
        given = hands.revoker.scopes_given(intent.key_id, intent.at)
    except ApiError:
        return None
    return None if given is None else given == intent.scopes


def _noted(intent: Intent, hands: Hands, result: Result, note: str = "") -> Outcome:
    return Outcome(receipt=intent.receipt, at=hands.clock(), result=result, note=note)
