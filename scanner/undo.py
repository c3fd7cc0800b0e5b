"""Taking a revocation back: what was done to a key, and how it is -> the change that undoes it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from scanner.errors import UsageError
from scanner.inventory import Key, Unknown
from scanner.receipt import Act, Intent, undone
from scanner.recheck import new_receipt
from scanner.revocation import Method

LONGEST: Final = timedelta(days=365)
"""The latest expiry that the API takes; it never takes one away."""
_MINUTE: Final = timedelta(minutes=1)


def find(acts: Iterable[Act], receipt: str) -> Act:
    """Return what was done under a receipt; raise UsageError if that cannot be undone."""
    known = tuple(acts)
    act = next((one for one in known if one.intent.receipt == receipt), None)
    if act is None:
        raise UsageError(
            f"There is no receipt '{receipt}'.", help="keyvigil revoke journal lists them."
        )
    intent, outcome = act
    if intent.method is Method.DELETE:
        raise UsageError(
            f"The key {intent.key_id} was deleted, which nothing can undo.",
            help=f"Its owner ({intent.owner or 'unknown'}) can make a new key in {intent.project}.",
        )
    if intent.undoes:
        raise UsageError(f"{receipt} is itself what took {intent.undoes} back.")
    if outcome is None or act.is_open:
        raise UsageError(
            f"How {receipt} ended is not known yet.",
            help="Try again in ten minutes: this command, like the next scan, looks at the key.",
        )
    if not act.may_have_changed:
        raise UsageError(f"{receipt} had no effect ({outcome.note}): there is nothing to undo.")
    if receipt in undone(known):
        raise UsageError(f"{receipt} was taken back already.")
    return act


def undoing(act: Act, key: Key | None, now: datetime, by: str) -> Intent:
    """Return the change that gives a key back what it had; raise UsageError if that cannot be."""
    intent = act.intent
    if key is None:
        raise UsageError(f"The key {intent.key_id} exists no more: there is nothing to give back.")
    expires_at = key.expires_at
    if intent.method is Method.EXPIRE and expires_at == intent.expires_at:
        raise UsageError(
            f"The key {key.id} expires as it did before: there is nothing to take back."
        )
    if isinstance(expires_at, Unknown):
        raise UsageError(f"When {key.id} expires is unknown: {expires_at.reason}.")
    if expires_at is not None and expires_at <= now:
        raise UsageError(
            f"The key {key.id} has expired, and an expired key cannot be changed.",
            help=f"Its owner ({intent.owner or 'unknown'}) can make a new key in {intent.project}.",
        )
    back = replace(
        intent,
        receipt=new_receipt(now),
        undoes=intent.receipt,
        at=now,
        by=by,
        expires_at=expires_at,
        last_used_at=None if isinstance(key.last_used_at, Unknown) else key.last_used_at,
    )
    if intent.method is Method.EXPIRE:
        _refuse_changed(act, expires_at)
        until = min(intent.expires_at or now + LONGEST, now + LONGEST)
        return replace(back, expires_in=int((until - now).total_seconds()))
    return replace(back, scopes=_scopes(intent))


def _refuse_changed(act: Act, expires_at: datetime | None) -> None:
    """Raise UsageError if somebody has given the key another expiry since."""
    given = act.outcome and act.outcome.expires_at
    if given and (expires_at is None or abs(expires_at - given) > _MINUTE):
        now = f"on {expires_at:%Y-%m-%d}" if expires_at else "never"
        raise UsageError(
            f"Somebody changed when {act.intent.key_id} expires since then: it is {now} now.",
            help="There is nothing to undo.",
        )


def _scopes(intent: Intent) -> tuple[str, ...]:
    if intent.scopes_before is None:
        raise UsageError(
            f"What {intent.key_id} was allowed before is not known: the API does not say, and the"
            " audit log was not read or is too short.",
            help="Set its permissions in the OpenAI dashboard.",
        )
    if not intent.scopes_before:
        raise UsageError(
            f"{intent.key_id} was allowed everything before, and KeyVigil never gives that.",
            help="Set its permissions in the OpenAI dashboard.",
        )
    return intent.scopes_before
