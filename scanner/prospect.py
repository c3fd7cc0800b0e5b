"""Notices and reminders of coming revocations: at the start, 3 days and 1 day before. Pure."""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scanner.durations import spell_exactly
from scanner.result import ScanResult
from scanner.revocation import Action, Method, Mode, Promise

_BEFORE: Final = (timedelta(days=3), timedelta(days=1))


class Prospect(NamedTuple):
    """The text about a coming revocation; `is_news`: this scan must notify people of it.

    `promise` is the content of a first notice; None in reminders.
    """

    words: str
    is_news: bool
    promise: Promise | None = None


def prospects(result: ScanResult, on_their_way: Container[str]) -> dict[str, Prospect]:
    """Return the coming revocations by fingerprint of the finding.

    `on_their_way` are the findings whose first notice is already waiting for delivery.
    """
    revocation = result.revocation
    if revocation is None or revocation.mode is Mode.OFF:
        return {}
    history = result.history
    before = history.previous.started_at if history and history.previous else None
    plan, is_sure = revocation.plan, revocation.mode is Mode.ENFORCE
    dated = {
        action.fingerprint: Prospect(
            words=ahead(action, is_sure=is_sure),
            is_news=_comes_near(action, before, result.started_at),
        )
        for action in (*plan.waiting, *(() if is_sure else plan.due))
    }
    starts = {
        held.fingerprint: Prospect(
            words=_start(held.promise),
            is_news=held.fingerprint not in on_their_way,
            promise=held.promise,
        )
        for held in plan.held
        if held.is_to_be_told
    }
    return dated | starts


def _start(promise: Promise) -> str:
    """Return the text of a first notice, with times counted from the message."""
    will = "will" if promise.mode is Mode.ENFORCE else "may"
    after = spell_exactly(promise.after)
    if promise.method is Method.EXPIRE:
        whole = spell_exactly(promise.after + promise.expire_in)
        return f"{will} expire {whole} after this message unless fixed within {after}"
    return f"{will} be {promise.method.words} {after} after this message"


def ahead(action: Action, *, is_sure: bool) -> str:
    """Return the text of a reminder, with the date of the revocation."""
    will, due = "will" if is_sure else "may", f"{action.due_at:%Y-%m-%d}"
    if action.method is Method.EXPIRE:
        ends = f"{action.due_at + action.expire_in:%Y-%m-%d}"
        return f"{will} expire on {ends} unless fixed by {due}"
    return f"{will} be {action.method.words} on {due}"


def due(action: Action, at: datetime, *, is_sure: bool) -> str:
    """Return the text of a revocation that is due, as of a scan."""
    will = "will" if is_sure else "would"
    ends = f" on {at + action.expire_in:%Y-%m-%d}" if action.method is Method.EXPIRE else ""
    return f"due: {will} be {action.method.words}{ends}"


def _comes_near(action: Action, before: datetime | None, now: datetime) -> bool:
    """Whether a reminder became due between the previous scan and this one."""
    since = max(before or now, action.announced_at)
    return any(since < action.due_at - early <= now for early in _BEFORE)
