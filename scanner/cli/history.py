"""`keyvigil history` and `keyvigil diff`: recorded scans, and the changes between them."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import typer
from rich.table import Table
from rich.text import Text

from scanner.checkup import clock_problems
from scanner.cli.console import ExitCode, confirmed, counted, has_person, inert, out, say
from scanner.cli.report import WITHOUT_ID, tell_whose
from scanner.compare import between
from scanner.durations import format_spaced
from scanner.errors import NoHistory, StoreLocked, UsageError
from scanner.formats.history_rows import night_row
from scanner.lifecycle import Case, Night, Turn
from scanner.plausible import CLOCKS_DIFFER
from scanner.setting import Chosen
from scanner.settings import StoreSettings, read_store_settings, store_settings
from scanner.settings_table import ORGANIZATION
from scanner.severity import Severity
from scanner.wiring import now, open_store, read_clocks, read_locks, release_lock

if TYPE_CHECKING:
    from scanner.store.history import SqlStore

_SHORT: Final = {Severity.CRITICAL: "Crit", Severity.MEDIUM: "Med"}
_ROOMY: Final = 96
"""Terminal columns needed for whole ids; with shortened ids the table fits into 80."""


def history(settings: Chosen, limit: int, *, as_json: bool) -> None:
    """Print the recorded scans, oldest first; raise NoHistory.

    With `as_json` a missing history is an empty list, unlike one that cannot be read.
    """
    nights: Sequence[Night] = ()
    try:
        store = _opened(store_settings(settings, os.environ))
        kept = store.nights(settings[ORGANIZATION], limit)
        names = {one: store.names.shown_name(one) for one in {night.organization for night in kept}}
        nights = [replace(night, organization=names[night.organization]) for night in kept]
    except NoHistory as error:
        if not as_json:
            raise
        say(str(error))  # shows a mistyped path
    if as_json:
        rows = [
            {"organization": night.organization, **night_row(night).model_dump(mode="json")}
            for night in nights
        ]
        typer.echo(json.dumps(rows, indent=2))
    elif not nights:
        out.print("No scan is recorded yet.")
    else:
        _print_nights(nights)


def clocks(settings: Chosen) -> None:
    """Print the problems of the history's clocks and dates, as JSON."""
    place = store_settings(settings, os.environ)
    reading = read_clocks(place) if place else None
    found = clock_problems(reading) if reading else ()
    typer.echo(json.dumps([f"{one.name}: {one.said}" for one in found]))


def prune(settings: Chosen) -> None:
    """Delete expired scans, snapshots and findings, and print how many."""
    store, organization = _opened(store_settings(settings, os.environ)), settings[ORGANIZATION]
    kept = [store.names.history_of(organization)] if organization else store.organizations()
    for one in kept:
        gone, name = store.prune(one, now()), store.names.shown_name(one)
        out.print(
            inert(
                f"{name}: deleted {counted(gone.scans, 'scan')},"
                f" {counted(gone.snapshots, 'snapshot')} and"
                f" {counted(gone.cases, 'resolved finding')}."
            )
        )


def unlock(settings: Chosen, *, is_sure: bool) -> None:
    """Release the locks of the history, after confirmation.

    Raise UsageError if it is missing, and StoreLocked if a lock has changed in the meantime.
    """
    place, organization = store_settings(settings, os.environ), settings[ORGANIZATION]
    store = _opened(place)
    which = store.names.history_of(organization) if organization else None
    held = [one for one in read_locks(place) if which in (None, one.organization)] if place else []
    if place is None or not held:
        of = f" of {organization}" if organization else ""
        out.print(inert(f"No lock{of} is held."))
        return
    names = {one: store.names.shown_name(one.organization) for one in held}
    for one, name in names.items():
        say(f"{name}: locked by {one}. Its lease ends at {one.until:%Y-%m-%d %H:%M:%S} UTC.")
    if not is_sure:
        _confirm_release(counted(len(held), "lock"))
    for one, name in names.items():
        if not release_lock(place, one):
            raise StoreLocked(
                f"The lock of {name} was not released: another scan acquired it in the meantime.",
                help="Run the command again to see its holder.",
            )
        out.print(inert(f"{name}: released."))


def _confirm_release(locks: str) -> None:
    if not has_person():
        raise UsageError(
            f"Releasing {locks} requires confirmation.",
            help="Check that no scan is running, then repeat the command with --yes.",
        )
    if not confirmed(f"Release {locks}? A scan that is still running will not be recorded."):
        say("No lock was released.")
        raise typer.Exit(ExitCode.DONE)


def diff(
    before: str, after: str, store: str | None, organization: str | None, *, as_json: bool
) -> None:
    """Print what changed between two scans; raise UsageError if they cannot be compared."""
    history = _opened(read_store_settings(os.environ, store))
    until = now() + CLOCKS_DIFFER
    first, second = (history.find(name, organization, before=until) for name in (before, after))
    if organization is None and {before, after} & set(WITHOUT_ID):
        tell_whose(history, second)
    if first.organization != second.organization:
        raise UsageError(
            f"{first.scan_id} is a scan of {history.names.shown_name(first.organization)}, and"
            f" {second.scan_id} one of {history.names.shown_name(second.organization)}.",
            help="Name two scans of the same organization.",
        )
    if first.started_at > second.started_at:
        first, second = second, first
        say(f"{first.scan_id} is the earlier scan: comparing from it to {second.scan_id}.")
    turns = between(history.events(first.organization, second.started_at), first.started_at)
    named = history.cases(first.organization, [turn.fingerprint for turn in turns])
    cases = {case.fingerprint: case for case in named}
    changed = sorted(((cases[turn.fingerprint], turn) for turn in turns), key=_reading_order)
    if as_json:
        typer.echo(json.dumps([_as_row(case, turn) for case, turn in changed], indent=2))
        return
    _print_turns(changed)
    if second.not_evaluated:
        count = counted(second.not_evaluated, "open finding")
        say(f"Not compared: {count} of rules that {second.scan_id} did not evaluate.")
    out.print(
        f"{counted(len(changed), 'finding')} changed from {first.scan_id} to {second.scan_id}.",
        soft_wrap=True,
    )


def _opened(settings: StoreSettings | None) -> "SqlStore":
    """Open an existing history; raise NoHistory, UsageError or StoreError."""
    if settings is None:
        raise NoHistory(
            "No history is configured: --store is none.", help="Set --store to a file or URL."
        )
    return open_store(settings, must_exist=True)


def _reading_order(changed: tuple[Case, Turn]) -> tuple[bool, int, str, str]:
    """Sort open findings first, the most severe on top."""
    case, turn = changed
    severity = turn.after or turn.before or case.severity
    return turn.after is None, severity.rank, case.rule, case.key_id


def _as_row(case: Case, turn: Turn) -> dict[str, str | None]:
    return {
        "fingerprint": case.fingerprint,
        "change": turn.words.partition(",")[0],
        "before": turn.before,
        "after": turn.after,
        "resolution": turn.resolution if turn.after is None else None,
        "rule": case.rule,
        "key_id": case.key_id,
        "key_name": case.key_name,
        "project_id": case.project_id,
        "owner_email": case.owner_email,
    }


def _print_turns(changed: Sequence[tuple[Case, Turn]]) -> None:
    rows = [
        (
            turn.words,
            (turn.after or turn.before or case.severity).value,
            case.rule,
            case.key_id,
            case.project_name or case.project_id or "organization",
            case.key_name or "unnamed",
        )
        for case, turn in changed
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        out.print(inert("  ".join(cells).rstrip()), soft_wrap=True)


def _counts(nights: Sequence[Night]) -> dict[str, Sequence[int]]:
    """Return the counts of each scan, by heading; rare ones only if any is not 0."""
    counts: dict[str, Sequence[int]] = {
        "Keys": [night.keys for night in nights],
        "Found": [night.violations for night in nights],
    }
    for severity in Severity:
        counts[_SHORT.get(severity, severity.title())] = [n.by_severity[severity] for n in nights]
    counts["Opened"] = [night.opened for night in nights]
    counts["Resolved"] = [night.resolved for night in nights]
    counts["Unverified"] = [night.unverified for night in nights]
    seldom = ("Info", "Unverified")
    return {name: each for name, each in counts.items() if name not in seldom or any(each)}


def _print_nights(nights: Sequence[Night]) -> None:
    """Print a row for each scan, and the mean time to remediate of all."""
    is_roomy = out.width >= _ROOMY
    gap = 2 if is_roomy else 1
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
    several = len({night.organization for night in nights}) > 1
    counts = _counts(nights)
    table.add_column("Scan", no_wrap=True)
    for heading in (*(("Organization",) if several else ()), "Coverage"):
        table.add_column(heading)
    for heading in counts:
        table.add_column(heading, justify="right", no_wrap=True)
    for night, *figures in zip(nights, *counts.values(), strict=True):
        table.add_row(
            night.scan_id if is_roomy else night.scan_id.partition("-")[0],
            *((inert(night.organization),) if several else ()),
            "complete" if night.complete else Text("incomplete", style="bold red"),
            *(f"{figure:,}" for figure in figures),
        )
    out.print(table)
    remedied = sum(night.remedied for night in nights)
    if remedied:
        total = sum((night.remedy_time for night in nights), timedelta())
        mean = format_spaced(total / remedied)
        out.print(f"Mean time to remediate: {mean}, over {counted(remedied, 'finding')}.")
