"""`--unless-since` and `--account`: skip a recorded scan, and report the outcome to `serve`."""

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
    """Skip if a scan was recorded `since` then; write the outcome to the file `account`."""

    since: datetime | None = None
    account: Path | None = None

    @classmethod
    def read(cls, unless_since: str | None, account: Path | None) -> Self:
        """Read the options; raise UsageError if `unless_since` is not a time with a time zone."""
        return cls(since=_moment(unless_since), account=account)


class AlreadyScanned(typer.Exit):
    """The due scan is already recorded as `scan_id`: the command succeeds without scanning."""

    def __init__(self, account: Account, scan_id: str) -> None:
        super().__init__(ExitCode.DONE)
        self.account = account
        self.scan_id = scan_id


class Accounting:
    """Collects the outcome of one scan."""

    def __init__(self, since: datetime | None) -> None:
        self.account: Account | None = None
        self.memory: Memory | None = None
        self._since = since

    def remember(self, memory: Memory | None) -> None:
        """Store the history; raise AlreadyScanned if the due scan is recorded in it.

        The check is reliable only while the lock is held.
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
            say(f"Skipped: the scan {nights[-1].scan_id} is recorded and began after {since}.")
            raise AlreadyScanned(self.account, nights[-1].scan_id)

    def take(
        self, result: ScanResult, failures: Sequence[KeyVigilError]
    ) -> tuple[ScanResult, Sequence[KeyVigilError]]:
        """Set the account of a finished scan; return the arguments unchanged."""
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
    """Hold the history during the context; at its end write the account to `once.account`, if set.

    Raise AlreadyScanned, and the errors of `history`.
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
    """Return one account of several scans; None if one was not finished: the run is not done then.

    The fate that needs a retry wins: an unrecorded scan first, then the lock of another scan.
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
        moment = datetime.min  # noqa: DTZ901 - rejected below: no time zone
    if moment.tzinfo is None:
        raise UsageError(
            f"--unless-since {text} is not a date and time with a time zone.",
            help="Use this format: 2026-11-25T02:30:00+01:00.",
        )
    return moment
