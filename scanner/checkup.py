"""The checks of `keyvigil doctor`: results, problems and how to fix them. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from scanner.collection import SCOPES, Collection
from scanner.durations import format_duration
from scanner.errors import (
    ApiError,
    ApiFailed,
    ApiForbidden,
    ApiNotFound,
    ApiRejected,
    KeyVigilError,
    PolicyError,
    UsageError,
)
from scanner.identity import NAME_IT
from scanner.plausible import CLOCKS_DIFFER
from scanner.revocation import Bounds, Mode

_MOST_SKEW: Final = timedelta(seconds=60)
_FAILED: Final = {
    Collection.COSTS: "Omit costs with --skip costs: some organizations cannot read them.",
    Collection.AUDIT_LOGS: "Enable the audit log in the organization's settings, or omit it with"
    " --skip audit_logs.",
}


class State(StrEnum):
    """The result of a check."""

    OK = "ok"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check; `help` is how to fix it. `is_setting`: the cause is an error in the settings."""

    name: str
    state: State
    said: str
    help: str = ""
    is_setting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to an endpoint; `error` if it failed, `skipped` the reason if it was not sent."""

    collection: Collection
    endpoint: str
    error: ApiError | None = None
    skipped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """This machine's clock and the dates of a history, compared with the database's clock.

    `ahead` is negative if this machine's clock is behind. `future_scans` are ids of recorded scans,
    the latest first; `lock_end` is the end of a lock that ends later than its lease allows.
    """

    ahead: timedelta
    future_scans: tuple[str, ...] = ()
    lock_end: datetime | None = None


def ok(name: str, said: str, help: str = "") -> Check:  # noqa: A002 - the word users see
    """Return a check that passed."""
    return Check(name=name, state=State.OK, said=said, help=help)


def unchecked(name: str, why: str, help: str = "") -> Check:  # noqa: A002 - the word users see
    """Return a check that was not made, with the reason."""
    return Check(name=name, state=State.NOT_CHECKED, said=why, help=help)


def problem(name: str, error: KeyVigilError) -> Check:
    """Return a check that failed; of several errors, the first and the number of others."""
    said, mend = str(error), error.help or ""
    if isinstance(error, PolicyError):
        first, *more = error.problems
        said = f"{first}{f' (and {len(more)} more)' if more else ''}"
        mend = "Correct the file at this position."
    return Check(
        name=name,
        state=State.PROBLEM,
        said=said,
        help=mend,
        is_setting=isinstance(error, UsageError),
    )


def answered(asked: Iterable[Asked], *, unneeded: str = "") -> Check:
    """Return the check of one collection's endpoints; `unneeded`: why no scan requests it.

    A collection that no scan requests is never a problem.
    """
    every = tuple(asked)
    name = every[0].collection.value
    failed = next((one for one in every if one.error), None)
    skipped = next((one for one in every if one.skipped), None)
    if failed is None or failed.error is None:
        if skipped:
            return unchecked(name, skipped.skipped)
        more = f" and {len(every) - 1} more" if len(every) > 1 else ""
        responds = "respond" if more else "responds"
        reason = f"; {unneeded}" if unneeded else ""
        return ok(name, f"{every[0].endpoint}{more} {responds}{reason}")
    mend = _mend(failed.collection, failed.error)
    if unneeded:
        return ok(name, f"not requested ({unneeded}); if requested: {failed.error}", mend)
    return Check(name=name, state=State.PROBLEM, said=str(failed.error), help=mend)


def _mend(collection: Collection, error: ApiError) -> str:
    match error:
        case ApiForbidden():
            return (
                f"Give the admin key the scope {SCOPES[collection]}, or create a key that has it."
            )
        case ApiRejected() | ApiNotFound():
            return error.help or ""
        case ApiFailed():
            return _FAILED.get(collection, error.help or "")
        case _:
            return error.help or ""


def clock(skew: timedelta | None) -> Check:
    """Check how far this machine's clock is ahead of the API's; None: no response had a date."""
    if skew is None:
        return unchecked("clock", "no response contained the API's time")
    if abs(skew) <= _MOST_SKEW:
        return ok("clock", f"within {_apart(skew)} of the API's clock")
    return Check(
        name="clock",
        state=State.PROBLEM,
        said=f"this machine's clock is {_apart(skew)} {_direction(skew)} the API's",
        help="Synchronize the clock with NTP (timedatectl set-ntp true); key ages depend on it.",
    )


def clock_problems(reading: ClockReading) -> Iterator[Check]:
    """Yield the problems with a history's clocks and dates; without names of organizations."""
    ahead = reading.ahead
    if abs(ahead) > CLOCKS_DIFFER:
        yield Check(
            name="database clock",
            state=State.PROBLEM,
            said=f"this machine's clock is {_apart(ahead)} {_direction(ahead)} the database's",
            help="Synchronize both machines with NTP (timedatectl set-ntp true).",
        )
    if reading.future_scans:
        yield Check(
            name="recorded scans",
            state=State.PROBLEM,
            said="dated in the future, because a clock was ahead:"
            f" {', '.join(reading.future_scans)}",
            help="Correct the clock of the scanning machine. No schedule counts these scans.",
        )
    if reading.lock_end is not None:
        yield Check(
            name="lock dates",
            state=State.PROBLEM,
            said=f"a lock ends at {reading.lock_end:%Y-%m-%d %H:%M:%S} UTC, later than its lease"
            " allows: a clock was ahead",
            help="Correct the clock. The next scan takes over the lock; to release it now, run"
            " keyvigil history unlock.",
        )


def _apart(skew: timedelta) -> str:
    return format_duration(timedelta(seconds=max(1, round(abs(skew).total_seconds()))))


def _direction(skew: timedelta) -> str:
    return "ahead of" if skew > timedelta() else "behind"


def organization(name: str | None, *, is_named: bool | None) -> Check:
    """Check that the settings or the API name the organization; `is_named` None: not known."""
    if name is not None:
        return ok("organization", f"the history is named '{name}'")
    if is_named is None:
        return unchecked("organization", "it is unknown whether the API returns a name")
    if is_named:
        return ok("organization", "the history uses the name from the API")
    error = UsageError(
        "no name is set and the API returns none: the history can be matched by projects only,"
        " and a second unnamed organization cannot use the same store",
        help=NAME_IT,
    )
    return problem("organization", error)


def revocation(bounds: Bounds) -> Check:
    """Return a check that describes the mode and the limits of revocation."""
    if bounds.mode is Mode.OFF:
        return ok("revocation", "off: no keys are revoked")
    words = (
        f"at most {bounds.max_keys:,} keys and {bounds.max_percent:g} % of all keys per 24h",
        f"minimum age {format_duration(bounds.min_age)}",
        f"not used for {format_duration(bounds.recent_use)}",
        f"expire after {format_duration(bounds.expire_in)}",
        f"{len(bounds.admin_keys) or 'no'} admin key{'' if len(bounds.admin_keys) == 1 else 's'}",
    )
    what = "scans make plans only" if bounds.mode is Mode.PLAN else "scans revoke due keys"
    return ok("revocation", f"{bounds.mode.value}: {what}; {', '.join(words)}")
