"""What is to become of keys, as people are told: at the start, three days before, a day. Pure."""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scanner.result import ScanResult
from scanner.revocation import Action, Held, Mode
from scanner.words import spell

_BEFORE: Final = (timedelta(days=3), timedelta(days=1))


class Prospect(NamedTuple):
    """What is to become of a key, in words; `is_news`: tonight people are to be told."""

    words: str
    is_news: bool


def prospects(result: ScanResult, on_their_way: Container[str]) -> dict[str, Prospect]:
    """Return what is to become of keys, by the fingerprint of the finding.

    `on_their_way` are the findings of which alerts wait that tell the start.
    """
    revocation = result.revocation
    if revocation is None or revocation.mode is Mode.OFF:
        return {}
    verb = "will be" if revocation.mode is Mode.ENFORCE else "may be"
    history = result.history
    before = history.previous.started_at if history and history.previous else None
    plan = revocation.plan
    ahead = {
        action.fingerprint: Prospect(
            f"{verb} {action.method.words} on {action.due_at:%Y-%m-%d}",
            _comes_near(action, before, result.started_at),
        )
        for action in (*plan.waiting, *plan.due)
    }
    starts = {
        held.fingerprint: Prospect(_start(held, verb), held.fingerprint not in on_their_way)
        for held in plan.held
        if held.is_to_be_told
    }
    return ahead | starts


def _start(held: Held, verb: str) -> str:
    return f"{verb} {held.method.words} {spell(held.after)} after this message"


def _comes_near(action: Action, before: datetime | None, now: datetime) -> bool:
    """Whether one of the moments to tell of it lies between the scan before and this one."""
    since = max(before or now, action.announced_at)
    return any(since < action.due_at - early <= now for early in _BEFORE)
