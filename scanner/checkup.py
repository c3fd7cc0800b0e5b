"""What a checkup finds: what works, what does not, and how to mend it. Pure."""

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
    Collection.COSTS: "Some organizations' costs cannot be had: --skip costs leaves them out.",
    Collection.AUDIT_LOGS: "The audit log must be switched on in the organization's settings;"
    " --skip audit_logs leaves it out.",
}


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `help` is the mend. `is_setting`: a mistake in the settings."""

    name: str
    state: State
    said: str
    help: str = ""
    is_setting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One endpoint that was asked once; `error` is what went wrong, `skipped` why it was not."""

    collection: Collection
    endpoint: str
    error: ApiError | None = None
    skipped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """This machine's clock and a history's dates, compared with the clock of its database.

    `ahead` is negative if this machine's clock is behind. `future_scans` are ids of recorded scans,
    the latest first; `lock_end` is the end of a lock that ends later than its lease allows.
    """

    ahead: timedelta
    future_scans: tuple[str, ...] = ()
    lock_end: datetime | None = None


def ok(name: str, said: str, help: str = "") -> Check:  # noqa: A002 - the word users see
    """Say that something works."""
    return Check(name=name, state=State.OK, said=said, help=help)


def unchecked(name: str, why: str, help: str = "") -> Check:  # noqa: A002 - the word users see
    """Say that something was not looked at, and why."""
    return Check(name=name, state=State.NOT_CHECKED, said=why, help=help)


def problem(name: str, error: KeyVigilError) -> Check:
    """Say what does not work; of several mistakes, the first and how many more there are."""
    said, mend = str(error), error.help or ""
    if isinstance(error, PolicyError):
        first, *more = error.problems
        said = f"{first}{f' (and {len(more)} more)' if more else ''}"
        mend = "Put the file right at that place."
    return Check(
        name=name,
        state=State.PROBLEM,
        said=said,
        help=mend,
        is_setting=isinstance(error, UsageError),
    )


def answered(asked: Iterable[Asked], *, unneeded: str = "") -> Check:
    """Judge how one collection's endpoints answered; `unneeded` says why no scan asks for it.

    What no scan asks for is no problem, whatever it answers.
    """
    every = tuple(asked)
    name = every[0].collection.value
    failed = next((one for one in every if one.error), None)
    skipped = next((one for one in every if one.skipped), None)
    if failed is None or failed.error is None:
        if skipped:
            return unchecked(name, skipped.skipped)
        more = f" and {len(every) - 1} more" if len(every) > 1 else ""
        answers = "answer" if more else "answers"
        return ok(name, f"{every[0].endpoint}{more} {answers}{f'; {unneeded}' if unneeded else ''}")
    mend = _mend(failed.collection, failed.error)
    if unneeded:
        return ok(name, f"{unneeded}; else: {failed.error}", mend)
    return Check(name=name, state=State.PROBLEM, said=str(failed.error), help=mend)


def _mend(collection: Collection, error: ApiError) -> str:
    match error:
        case ApiForbidden():
            return f"Give the admin key the scope {SCOPES[collection]}, or make one that has it."
        case ApiRejected() | ApiNotFound():
            return error.help or ""
        case ApiFailed():
            return _FAILED.get(collection, error.help or "")
        case _:
            return error.help or ""


def clock(skew: timedelta | None) -> Check:
    """Judge by how much this machine's clock is ahead of the API's; None: it told no time."""
    if skew is None:
        return unchecked("clock", "no answer told the API's time")
    if abs(skew) <= _MOST_SKEW:
        return ok("clock", f"within {_apart(skew)} of the API's")
    return Check(
        name="clock",
        state=State.PROBLEM,
        said=f"this machine's clock is {_apart(skew)} {_direction(skew)} the API's",
        help="Ages are judged by this clock: let NTP set it (timedatectl set-ntp true).",
    )


def clock_problems(reading: ClockReading) -> Iterator[Check]:
    """Yield what is wrong with a history's clocks and dates; without names of organizations."""
    ahead = reading.ahead
    if abs(ahead) > CLOCKS_DIFFER:
        yield Check(
            name="database clock",
            state=State.PROBLEM,
            said=f"this machine's clock is {_apart(ahead)} {_direction(ahead)} the database's",
            help="Let NTP set the clocks of both machines (timedatectl set-ntp true).",
        )
    if reading.future_scans:
        yield Check(
            name="recorded scans",
            state=State.PROBLEM,
            said="dated in the future, because a clock was ahead:"
            f" {', '.join(reading.future_scans)}",
            help="Correct the clock of the machine that scans; these scans satisfy no schedule.",
        )
    if reading.lock_end is not None:
        yield Check(
            name="lock dates",
            state=State.PROBLEM,
            said=f"a lock ends at {reading.lock_end:%Y-%m-%d %H:%M:%S} UTC, later than its lease"
            " allows: a clock was ahead",
            help="Correct the clock. The next scan takes the lock over; keyvigil history unlock"
            " releases it now.",
        )


def _apart(skew: timedelta) -> str:
    return format_duration(timedelta(seconds=max(1, round(abs(skew).total_seconds()))))


def _direction(skew: timedelta) -> str:
    return "ahead of" if skew > timedelta() else "behind"


def organization(name: str | None, *, is_named: bool | None) -> Check:
    """Judge by whether the settings or the API name the organization; None: not known."""
    if name is not None:
        return ok("organization", f"its history is '{name}'")
    if is_named is None:
        return unchecked("organization", "whether the API names it is not known")
    if is_named:
        return ok("organization", "the API names it: so is its history")
    error = UsageError(
        "the API does not name it, and no name is set: its history can be recognised by its"
        " projects only, and another organization without a name cannot use the same store",
        help=NAME_IT,
    )
    return problem("organization", error)


def revocation(bounds: Bounds) -> Check:
    """Say in words how far revocation goes, and within which bounds."""
    if bounds.mode is Mode.OFF:
        return ok("revocation", "off: nothing is revoked")
    words = (
        f"at most {bounds.max_keys:,} keys and {bounds.max_percent:g} % of all within a day",
        f"no key younger than {format_duration(bounds.min_age)}",
        f"none used within {format_duration(bounds.recent_use)}",
        f"an expiring key still works for {format_duration(bounds.expire_in)}",
        f"{len(bounds.admin_keys) or 'no'} admin key{'' if len(bounds.admin_keys) == 1 else 's'}",
    )
    what = (
        "a plan is made and nothing is revoked" if bounds.mode is Mode.PLAN else "keys are revoked"
    )
    return ok("revocation", f"{bounds.mode.value}: {what}; {', '.join(words)}")
