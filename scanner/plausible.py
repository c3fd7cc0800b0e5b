"""Impossible dates become Unknown before rules are evaluated. Pure.

The provider's module rejects values that are not dates; this one compares dates with each other
and with the time of the scan, so that it also covers stored and re-read keys.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from scanner.durations import format_duration
from scanner.inventory import Key, Project, Unknown

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""The tolerance between two clocks; a scan that began later than now by more is in the future."""
SKEW: Final = timedelta(hours=1)
"""The tolerance for a date in the future; beyond it one of the two clocks is wrong."""

Moment = datetime | Unknown | None


def past(moment: datetime | Unknown, what: str, now: datetime) -> datetime | Unknown:
    """Return a moment in the past, at most `now`; Unknown if it is in the future."""
    if isinstance(moment, Unknown) or moment <= now:
        return moment
    if moment - now <= SKEW:
        return now
    reason = f"{what} is in the future: this machine's clock or the API's is wrong"
    return Unknown(reason=reason)


def clock_problem(ahead: timedelta | None) -> str:
    """Return why this machine's clock is wrong or not verified, or "".

    `ahead` is how far it is ahead of the API's, None if no response had a date.
    """
    if ahead is None:
        return "the API's responses had no date, so that this machine's clock cannot be verified"
    if abs(ahead) <= CLOCKS_DIFFER:
        return ""
    direction = "ahead of" if ahead > timedelta() else "behind"
    return f"this machine's clock is {format_duration(abs(ahead))} {direction} the API's"


def plausible_key(key: Key, project: Project | None, now: datetime) -> Key:
    """Return the key with each impossible date replaced by Unknown, with the reason."""
    parent = _began(project, now)
    created_at = _created(key.created_at, parent, now)
    since = created_at if isinstance(created_at, datetime) else parent
    used_at = _used(key.last_used_at, since, now)
    expires_at = _expires(key.expires_at, since)
    if (created_at, used_at, expires_at) == (key.created_at, key.last_used_at, key.expires_at):
        return key
    return replace(key, created_at=created_at, last_used_at=used_at, expires_at=expires_at)


def earliest(key: Key, project: Project | None, now: datetime) -> datetime | None:
    """Return the earliest possible use of a plausible key: its creation, or its project's."""
    return key.created_at if isinstance(key.created_at, datetime) else _began(project, now)


def _began(project: Project | None, now: datetime) -> datetime | None:
    """Return when a project was created, unless the date is unknown or in the future."""
    parent = project.created_at if project else None
    return parent if isinstance(parent, datetime) and parent <= now else None


def not_before(moment: datetime, key: Key, what: str) -> datetime | Unknown:
    """Return a moment at or after the key's creation; Unknown if it is before that."""
    created_at = key.created_at
    if isinstance(created_at, Unknown) or moment >= created_at:
        return moment
    if created_at - moment <= SKEW:
        return created_at
    return Unknown(reason=f"{what} is before the key's creation")


def _created(
    created_at: datetime | Unknown, parent: datetime | None, now: datetime
) -> datetime | Unknown:
    created_at = past(created_at, "created_at", now)
    if isinstance(created_at, datetime) and parent and created_at < parent:
        return Unknown(reason="created_at is before the creation of the key's project")
    return created_at


def _used(used_at: Moment, since: datetime | None, now: datetime) -> Moment:
    if used_at is None:
        return None
    used_at = past(used_at, "last_used_at", now)
    if isinstance(used_at, datetime) and since and used_at < since:
        return Unknown(reason="last_used_at is before the key's creation")
    return used_at


def _expires(expires_at: Moment, since: datetime | None) -> Moment:
    if isinstance(expires_at, datetime) and since and expires_at < since:
        return Unknown(reason="expires_at is before the key's creation")
    return expires_at
