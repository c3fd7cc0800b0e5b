"""Undo a revocation: make the change that restores a key from its action and its current state."""

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
"""The latest expiry that the API accepts; an expiry cannot be removed."""
_MINUTE: Final = timedelta(minutes=1)


def find(acts: Iterable[Act], receipt: str) -> Act:
    """Return the action with this receipt; raise UsageError if it cannot be undone."""
    known = tuple(acts)
    act = next((one for one in known if one.intent.receipt == receipt), None)
    if act is None:
        raise UsageError(
            f"Receipt '{receipt}' was not found in the journal.",
            help="List the receipts with keyvigil revoke journal.",
        )
    intent, outcome = act
    if intent.method is Method.DELETE:
        raise UsageError(
            f"The key {intent.key_id} was deleted; a deletion cannot be undone.",
            help=f"Have the owner ({intent.owner or 'unknown'}) create a new key in"
            f" {intent.project}.",
        )
    if intent.undoes:
        raise UsageError(f"{receipt} is the undo of {intent.undoes} and cannot be undone.")
    if outcome is None or act.is_open:
        raise UsageError(
            f"The outcome of {receipt} is not known yet.",
            help="Run the command again in ten minutes; it reads the key again, as does each scan.",
        )
    if not act.may_have_changed:
        raise UsageError(f"{receipt} had no effect ({outcome.note}) and cannot be undone.")
    if receipt in undone(known):
        raise UsageError(f"{receipt} was already undone.")
    return act


def undoing(act: Act, key: Key | None, now: datetime, by: str) -> Intent:
    """Return the change that restores a key; raise UsageError if it cannot be restored."""
    intent = act.intent
    if key is None:
        raise UsageError(f"The key {intent.key_id} no longer exists and cannot be restored.")
    expires_at = key.expires_at
    if intent.method is Method.EXPIRE and expires_at == intent.expires_at:
        raise UsageError(
            f"The key {key.id} has the same expiry as before the revocation; an undo is not needed."
        )
    if isinstance(expires_at, Unknown):
        raise UsageError(f"The expiry of {key.id} is unknown: {expires_at.reason}.")
    if expires_at is not None and expires_at <= now:
        raise UsageError(
            f"The key {key.id} has expired; an expired key cannot be changed.",
            help=f"Have the owner ({intent.owner or 'unknown'}) create a new key in"
            f" {intent.project}.",
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
    """Raise UsageError if the expiry of the key was changed after the revocation."""
    given = act.outcome and act.outcome.expires_at
    if given and (expires_at is None or abs(expires_at - given) > _MINUTE):
        now = f"{expires_at:%Y-%m-%d}" if expires_at else "none"
        raise UsageError(
            f"The expiry of {act.intent.key_id} was changed after the revocation; it is now {now}.",
            help="Check the key in the OpenAI dashboard; KeyVigil does not overwrite that change.",
        )


def _scopes(intent: Intent) -> tuple[str, ...]:
    if intent.scopes_before is None:
        raise UsageError(
            f"The earlier permissions of {intent.key_id} are unknown: the API does not return them,"
            " and the audit log was not collected or is too short.",
            help="Set its permissions in the OpenAI dashboard.",
        )
    if not intent.scopes_before:
        raise UsageError(
            f"{intent.key_id} had all permissions before; KeyVigil never grants all permissions.",
            help="Set its permissions in the OpenAI dashboard.",
        )
    return intent.scopes_before
