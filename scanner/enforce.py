"""A plan carried out: one key at a time, each read again and judged again right before.

The order is always the same: look at the key, judge it, note the intent, change it once, look
again, note the outcome. What the second look shows is the outcome, whatever the API answered. Where
it shows nothing yet, the intent stays open, and a later run looks again: no change is ever asked
for twice.
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
"""How long a change may still be on its way."""
GIVEN_UP: Final = timedelta(days=7)
"""How long to go on looking where looking fails."""
_AWAKE: Final = timedelta(minutes=1)
"""How long after its note a change may still be asked for."""
MAX_REFUSALS: Final = 3
"""Responses 403 in one run after which the remaining keys are skipped."""
REFUSED: Final = (
    f"the API refused {MAX_REFUSALS} requests of this run (403): does the admin key still have"
    " its permissions?"
)
_BUSY: Final = 429
_REFUSALS: Final = frozenset(range(400, 500)) - {404, 408, 409}
"""The statuses that say for sure that nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What acts: on whose behalf (`by`), and until `stopped` gives a reason not to."""

    revoker: Revoker
    journal: Journal
    clock: Clock
    by: str
    stopped: Callable[[], str]


def carry_out(scene: Scene, plan: Plan, hands: Hands) -> Iterator[Act | Spared]:
    """Revoke what is due; yield what became of each key. Raise StoreError if it cannot be noted."""
    for action in plan.due:
        reason = hands.stopped()
        yield Spared(action, reason) if reason else _revoke(scene, action, hands)


def settle(hands: Hands) -> Iterator[Act]:
    """Look again at each change of which nobody knows how it ended; yield what can be told now."""
    for act in hands.journal.acts():
        found = _late_outcome(act, hands) if act.is_open else None
        if found is not None:
            hands.journal.end(found)
            yield Act(act.intent, found)


def make(intent: Intent, hands: Hands) -> Act:
    """Make a change that is noted, once; look what came of it; note that, if it can be told.

    Whoever slept since it was noted does not make it: others may have looked at the key by then.
    """
    request_id, error = "", None
    if not timedelta() <= hands.clock() - intent.at <= _AWAKE:
        late = _noted(intent, hands, Result.FAILED, "too late: this run slept, and did nothing")
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
    """Read each key that is due again, and yield what would be done; change and note nothing."""
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
        """Return the newest scopes of a key since a moment, if it was given any."""
        return self._revoker.scopes_given(key_id, since)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except ApiForbidden:
            self.count += 1
            raise


def counting(hands: Hands) -> Hands:
    """Return hands for one run that stop after too many refusals, while settling as well.

    The API would refuse the next requests, too.
    """
    revoker = _CountedRefusals(hands.revoker)

    def stopped() -> str:
        is_refused = revoker.count >= MAX_REFUSALS
        return REFUSED if is_refused else hands.stopped()

    return replace(hands, revoker=revoker, stopped=stopped)


def _meant(scene: Scene, action: Action, hands: Hands) -> Intent | Spared:
    """Read a key again and judge it once more; return what is to be done, or why it is let be."""
    try:
        look = hands.revoker.look(action.key_id, action.project_id or None)
    except ApiError as error:
        return Spared(action, f"it could not be read again: {error}")
    problem = clock_problem(None if look.at is None else hands.clock() - look.at)
    if look.key is not None and problem:
        return Spared(action, problem)
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
            return "another run is changing it"
        most = most_a_day(len(scene.inventory.keys), scene.bounds)
        is_over = revoked_since(now, intent.at - DAY) >= most
        return "the limit of keys within 24 hours has been reached" if is_over else ""

    reason = hands.journal.begin(intent, ids, objection)
    return Spared(action, reason) if reason else make(intent, hands)


def _outcome(intent: Intent, hands: Hands, error: ApiError | None) -> Outcome | None:
    """Return how a change ended that was just asked for; None: it may still be on its way."""
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
        return replace(seen, result=Result.DONE, note="accepted; it cannot be read back")
    return replace(seen, result=Result.ACCEPTED, note="accepted; the key does not show it yet")


def _late_outcome(act: Act, hands: Hands) -> Outcome | None:
    """Return how a change ended that could not be seen at once; None: it cannot be told yet."""
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
        unseen = "no answer came, and its effect cannot be read"
        return replace(seen, note="accepted, but the key never showed it" if before else unseen)
    if clock_problem(None if look.at is None else hands.clock() - look.at):
        return None  # the time that has passed is unknown
    return replace(seen, result=Result.FAILED, note="no answer came, and it had no effect")


def _effect(
    intent: Intent, look: Look, hands: Hands, *, is_accepted: bool
) -> tuple[bool | None, Outcome]:
    """Return whether a change had its effect, by the key as re-read; None: it cannot be read.

    If it was not `is_accepted`, an expiry has to be the one that was meant, and not somebody's own.
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
    """Read in the audit log whether a key was given these scopes: the key itself never says."""
    try:
        given = hands.revoker.scopes_given(intent.key_id, intent.at)
    except ApiError:
        return None
    return None if given is None else given == intent.scopes


def _noted(intent: Intent, hands: Hands, result: Result, note: str = "") -> Outcome:
    return Outcome(receipt=intent.receipt, at=hands.clock(), result=result, note=note)
