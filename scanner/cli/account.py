"""`--unless-since` and `--account`: one scan a night, and an account of it for `keyvigil serve`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import typer

from scanner.cli.console import ExitCode, say
from scanner.cli.memory import Memory
from scanner.daemon.account import Account, Fate, is_done, write_account
from scanner.errors import KeyVigilError, LockLost, StoreError, StoreLocked, UsageError
from scanner.plausible import CLOCKS_DIFFER
from scanner.result import ScanResult
from scanner.wiring import now

_NIGHTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Whether a night is scanned that is recorded `since` then, and where the account goes."""

    since: datetime | None = None
    account: Path | None = None

    @classmethod
    def read(cls, unless_since: str | None, account: Path | None) -> Self:
        """Read the options; raise UsageError if `unless_since` is no moment."""
        return cls(since=_moment(unless_since), account=account)


class AlreadyScanned(typer.Exit):
    """The scan that is due is recorded, as `scan_id`: there is nothing to do, which is well."""

    def __init__(self, account: Account, scan_id: str) -> None:
        super().__init__(ExitCode.DONE)
        self.account = account
        self.scan_id = scan_id


class Accounting:
    """Gathers what became of one scan."""

    def __init__(self, since: datetime | None) -> None:
        self.account: Account | None = None
        self.memory: Memory | None = None
        self._since = since

    def remember(self, memory: Memory | None) -> None:
        """Take the history; raise AlreadyScanned if the scan that is due is recorded in it.

        Whoever holds the lock can be sure of it.
        """
        self.memory = memory
        if self._since is None or memory is None:
            return
        try:
            until = now() + CLOCKS_DIFFER
            nights = memory.store.nights(memory.organization, _NIGHTS, before=until)
        except StoreError:  # recording the scan reports it
            return
        if is_done(nights, self._since):
            self.account = Account(fate=Fate.SKIPPED, organization=memory.name)
            since = f"{self._since:%Y-%m-%d %H:%M} {self._since.tzname()}"
            say(f"Not scanned: {nights[-1].scan_id} is recorded, and began after {since}.")
            raise AlreadyScanned(self.account, nights[-1].scan_id)

    def take(
        self, result: ScanResult, failures: Sequence[KeyVigilError]
    ) -> tuple[ScanResult, Sequence[KeyVigilError]]:
        """Note a scan that came to its end, and return what was given."""
        is_lost = any(isinstance(failure, StoreError) for failure in failures)
        if any(isinstance(failure, LockLost) for failure in failures):
            self.account = Account(fate=Fate.LOCKED)
            return result, failures
        nights = result.history.nights if result.history else ()
        self.account = Account(
            fate=Fate.UNRECORDED if is_lost else Fate.RECORDED,
            scan_id=result.id,
            organization=self.memory.name if self.memory else result.organization or "",
            is_complete=result.complete,
            is_settled=result.complete or is_done(nights, self._since or result.started_at),
            keys=result.keys,
            violations=len(result.violations),
        )
        return result, failures


@contextmanager
def accounting(once: Once, history: AbstractContextManager[Memory | None]) -> Iterator[Accounting]:
    """Hold the history while the context lasts; write the account, if it is to be written.

    Raise AlreadyScanned, and what `history` raises.
    """
    gathered = Accounting(once.since)
    try:
        with history as memory:
            gathered.remember(memory)
            yield gathered
    except StoreLocked:
        gathered.account = Account(fate=Fate.LOCKED)
        raise
    finally:
        if once.account is not None and gathered.account is not None:
            write_account(once.account, gathered.account)


def account_of_all(accounts: Sequence[Account | None]) -> Account | None:
    """Return one account of several scans; None where one came to no end: it is not done then.

    What is to be made good decides: a history that could not be written, then another scan's lock.
    """
    known = [one for one in accounts if one is not None]
    if len(known) < len(accounts):
        return None
    fates = {one.fate for one in known}
    order = (Fate.UNRECORDED, Fate.LOCKED, Fate.RECORDED, Fate.SKIPPED)
    return Account(
        fate=next(fate for fate in order if fate in fates),
        scan_id=", ".join(one.scan_id for one in known if one.scan_id),
        organization=", ".join(one.organization for one in known if one.organization),
        is_complete=all(one.is_complete for one in known),
        is_settled=all(one.is_settled for one in known),
        keys=sum(one.keys for one in known),
        violations=sum(one.violations for one in known),
    )


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.min  # noqa: DTZ901 - refused below, as it has no time zone
    if moment.tzinfo is None:
        raise UsageError(
            f"--unless-since {text} is no moment.",
            help="Write date, time and time zone: 2026-11-25T02:30:00+01:00.",
        )
    return moment
