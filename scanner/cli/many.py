"""Several organizations in one command: scanned in parallel, each independent of the others."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, repeat
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanner.cli.account import Accounting, AlreadyScanned, Once, account_of_all, accounting
from scanner.cli.combining import Combined, not_seen, visited
from scanner.cli.console import ExitCode, err, inert, log, out, say, show_error, worst
from scanner.cli.job import Job, Ready, already_scanned, metrics_of, places_of, prepared
from scanner.cli.run import Reported, Source, conclude, walked
from scanner.cli.sign_of_life import Run, sign_of_life
from scanner.cli.stopping import Ending, run_until_told
from scanner.cli.watching import Watcher, watching_each
from scanner.daemon.account import Account, Fate, write_account
from scanner.daemon.events import Level
from scanner.errors import ApiError, KeyVigilError, StoreLocked
from scanner.formats.visit import OrganizationState, Visit
from scanner.inventory import Inventory
from scanner.settings_table import FAIL_ON, PARALLEL
from scanner.severity import Severity
from scanner.wiring import now

_TOLD: Final = "The run was stopped before it scanned this organization."
_AGAIN: Final = "Run the scan again."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A scan that can start: its lock is held."""

    ready: Ready
    night: Accounting
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walked:
    """A collected inventory, and when its collection began and ended."""

    inventory: Inventory
    began: datetime
    ended: datetime

    def as_source(self, ending: Ending) -> Source:
        """Return a source of this inventory; it collects no data again."""
        times = chain([self.began], repeat(self.ended))
        return Source(collect=lambda: self.inventory, clock=lambda: next(times), ending=ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """The outcome for one organization; `account` is None if the scan was not finished."""

    visit: Visit
    account: Account | None = None

    @property
    def name(self) -> str:
        """The organization's name."""
        return self.visit.name or ""

    @property
    def code(self) -> ExitCode:
        """The exit code of its scan."""
        return ExitCode(self.visit.exit_code)


def scan_each(
    jobs: Sequence[Job], once: Once, combined: Combined, *, is_dry: bool, is_verbose: bool
) -> tuple[ExitCode, str]:
    """Scan all organizations, `parallel` of them concurrently; print a table, write one account.

    Return the worst exit code, and a list of the organizations with a code other than 0.
    """
    side_by_side = jobs[0].chosen[PARALLEL]
    outcomes: list[_Outcome] = []
    ending = Ending()
    for first in range(0, len(jobs), side_by_side):
        batch = jobs[first : first + side_by_side]
        if ending.is_told:
            outcomes += map(_not_reached, batch)
        else:
            together = _Together(once=once, combined=combined, ending=ending, is_dry=is_dry)
            outcomes += _scan_together(batch, together, is_verbose=is_verbose)
    account = account_of_all([outcome.account for outcome in outcomes])
    if once.account is not None and account is not None:
        write_account(once.account, account)
    order = [job.name or "" for job in jobs]
    outcomes.sort(key=lambda one: order.index(one.name))
    uses_stdout = any(place is None for job in jobs for place in places_of(job))
    _print_outcomes(outcomes, err if uses_stdout or combined.uses_stdout else out)
    codes = [(one.name, one.code) for one in outcomes]
    codes.append(("the combined report", combined.write([one.visit for one in outcomes])))
    ended = ", ".join(f"{name}: exit {code:d}" for name, code in codes if code)
    return worst(code for _, code in codes), ended


@dataclass(frozen=True, slots=True, kw_only=True)
class _Together:
    """The values that all organizations of a run share."""

    once: Once
    combined: Combined
    ending: Ending
    is_dry: bool


def _scan_together(
    jobs: Sequence[Job], together: _Together, *, is_verbose: bool
) -> Iterator[_Outcome]:
    """Collect some organizations in parallel, then evaluate and report one after the other."""
    ending, is_dry = together.ending, together.is_dry
    with ExitStack() as held:
        begun: list[_Begun] = []
        for job in jobs:
            run = Run()
            try:
                life = sign_of_life(metrics_of(job), job.name, is_off=is_dry, pings=False)
                run = held.enter_context(life)
                begun.append(_begin(job, together.once, run, held, is_dry=is_dry))
            except AlreadyScanned as skipped:
                run.skip()
                run.end(ExitCode.DONE)
                visit = already_scanned(job, skipped, together.combined)
                yield _Outcome(visit=visit, account=skipped.account)
            except typer.Exit:  # stopped by a signal
                raise
            except Exception as error:  # noqa: BLE001 - the other organizations are still scanned
                yield _failed(job, run, error)
        each = [(one.ready.job.name or "", one.run.asked_again) for one in begun]
        with watching_each(each, is_verbose=is_verbose) as watchers:
            walks = run_until_told(_walk_all(begun, watchers, ending), ending)
        seen: list[tuple[_Begun, Reported]] = []
        for one, walked in zip(begun, walks, strict=True):  # all are recorded before any alert
            try:
                seen.append((one, _reported(one, walked, ending)))
            except typer.Exit:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                yield _failed(one.ready.job, one.run, error)
        for one, reported in seen:
            yield _told(one, reported, ending, has_company=len(seen) > 1)


def _begin(job: Job, once: Once, run: Run, held: ExitStack, *, is_dry: bool) -> _Begun:
    ready = prepared(job)
    history = ready.remembering(run, is_dry=is_dry, is_alone=False)
    night = held.enter_context(accounting(Once(since=once.since), history))
    return _Begun(ready=ready, night=night, run=run)


async def _walk_all(
    begun: Sequence[_Begun], watchers: Sequence[Watcher], ending: Ending
) -> list[_Walked | Exception]:
    pairs = zip(begun, watchers, strict=True)
    walks = await asyncio.gather(*(_walk(one, watcher, ending) for one, watcher in pairs))
    unseen = [walk for walk in walks if isinstance(walk, ApiError)]
    if unseen and len(unseen) == len(walks) and ending.is_told:
        raise unseen[0]  # stopped with no data to record
    return walks


async def _walk(one: _Begun, watcher: Watcher, ending: Ending) -> _Walked | Exception:
    began, ready = now(), one.ready
    try:
        inventory = await walked(ready.settings, ready.plan, watcher, ending, one.night.memory)
    except Exception as error:  # noqa: BLE001 - as above
        return error
    return _Walked(inventory=inventory, began=began, ended=now())


def _reported(one: _Begun, walked: _Walked | Exception, ending: Ending) -> Reported:
    """Record and report a collected inventory, or raise the exception of its collection."""
    if not isinstance(walked, _Walked):
        raise walked
    _print_heading(one.ready.job, err if one.ready.uses_stdout else out)
    return one.ready.report(walked.as_source(ending), one.night.memory)


def _told(one: _Begun, reported: Reported, ending: Ending, *, has_company: bool) -> _Outcome:
    """Send the alerts of a scan and print the failures."""
    job = one.ready.job
    try:
        done = one.ready.told(reported, one.night.memory, ending)
        result, failures = one.night.take(*one.run.saw(done, one.night.memory))
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(job, one.run, error)
    if has_company and (failures or err.is_log):
        _print_heading(job, err)
    code = one.run.end(conclude(result, failures, job.chosen[FAIL_ON]))
    return _Outcome(visit=visited(job.name, reported, failures, code), account=one.night.account)


def _not_reached(job: Job) -> _Outcome:
    """Return the outcome of an organization that the stopped run did not scan; print the error."""
    told = _failed(job, Run(), KeyVigilError(_TOLD, help=_AGAIN))
    return replace(told, visit=replace(told.visit, state=OrganizationState.NOT_REACHED))


def _failed(job: Job, run: Run, error: Exception) -> _Outcome:
    """Print the error and return the outcome; even a bug stops only this organization."""
    _print_heading(job, err)
    is_locked = isinstance(error, StoreLocked)
    if is_locked:
        run.leave()
    if isinstance(error, KeyVigilError):
        code = run.end(show_error(error), str(error))
        account = Account(fate=Fate.LOCKED, organization=job.name or "") if is_locked else None
        return _Outcome(visit=not_seen(job.name, error, code), account=account)
    said = f"KeyVigil itself failed: {type(error).__name__}: {error}"
    say(said if err.is_log else f"error: {said}", style="bold red", level=Level.ERROR)
    code = run.end(ExitCode.INCOMPLETE, "KeyVigil itself failed.")
    return _Outcome(visit=not_seen(job.name, error, code))


def _print_heading(job: Job, console: Console) -> None:
    """Print the organization that the following messages are about."""
    log("The next messages are about one organization.", organization=job.name or "")
    if console is err and err.is_log:
        return
    console.print()
    console.print(Text.assemble("Organization ", inert(job.name or "", "bold")), soft_wrap=True)


def _print_outcomes(outcomes: Sequence[_Outcome], console: Console) -> None:
    """Print a row for each organization; no table on a stderr that holds JSON lines."""
    if console is err and err.is_log:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Organization", "Coverage"):
        table.add_column(heading)
    for heading in ("Keys", "Violations", *(s.value.title() for s in Severity), "Exit"):
        table.add_column(heading, justify="right")
    for one in outcomes:
        table.add_row(inert(one.name), *_cells(one), str(int(one.code)))
    console.print()
    console.print(table)


def _cells(one: _Outcome) -> list[str | Text]:
    result, state = one.visit.result, one.visit.state
    if result is None or state is OrganizationState.SCANNED_ALREADY:
        is_done = state is OrganizationState.SCANNED_ALREADY
        said = Text("scanned already") if is_done else Text("not scanned", style="bold red")
        return [said, *("-" for _ in ("keys", "all", *Severity))]
    totals = result.totals()
    coverage = "complete" if result.complete else Text("incomplete", style="bold red")
    figures = (totals.keys, len(result.violations), *totals.by_severity.values())
    return [coverage, *(f"{figure:,}" for figure in figures)]
