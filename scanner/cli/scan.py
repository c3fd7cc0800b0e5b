"""`keyvigil scan`: scan one organization, or each that the settings list."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import typer

from scanner.cli.account import Once
from scanner.cli.choosing import chosen, file_settings
from scanner.cli.combining import Combined
from scanner.cli.console import ExitCode, err, out
from scanner.cli.job import jobs_of, places_of, scan_one
from scanner.cli.many import scan_each
from scanner.cli.outputs import combined_places, named, read_outputs, refuse_overwriting
from scanner.cli.run import conclude, scan_and_report, stored
from scanner.cli.sign_of_life import sign_of_life
from scanner.errors import KeyVigilError, UsageError
from scanner.formats.snapshot import Snapshot, parse_snapshot, read_snapshot
from scanner.plan import make_plan
from scanner.plausible import CLOCKS_DIFFER
from scanner.policy_files import load_policies
from scanner.setting import Chosen
from scanner.settings import StoreSettings, store_settings
from scanner.settings_table import (
    COLLECT,
    COMBINED,
    CONNECTION,
    FAIL_ON,
    METRICS,
    ORGANIZATION,
    OUTPUTS,
    POLICIES,
    REDACT,
    SKIP,
    SNAPSHOT,
)
from scanner.wiring import now, open_store

_OF_A_WALK: Final = (COLLECT, COMBINED, METRICS, *CONNECTION)
_SCAN: Final = re.compile(r"latest|previous|[0-9]{8}(T[0-9]{0,6}(Z(-[0-9a-f]{0,8})?)?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of the command that are not settings."""

    from_: str | None
    only: Sequence[str]
    is_dry: bool
    unless_since: str | None
    account: Path | None
    is_verbose: bool


def scan(context: typer.Context, wanted: Wanted) -> None:
    """Scan, or evaluate a snapshot again; raise typer.Exit with the exit code.

    The scan is finished even if the reader of stdout or stderr has closed the pipe.
    """
    out.outlives_reader = err.outlives_reader = True
    try:
        _scan(context, wanted)
    except typer.Exit as ended:
        if ended.exit_code == ExitCode.DONE and out.is_unread:
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None
        raise
    finally:
        out.outlives_reader = err.outlives_reader = False


def _scan(context: typer.Context, wanted: Wanted) -> None:
    if wanted.from_ is not None:
        settings = chosen(context)
        _refuse_options_of_a_walk(settings, wanted)
        raise typer.Exit(_judge_again(wanted.from_, settings))
    try:
        once = Once.read(wanted.unless_since, wanted.account)
        settings = chosen(context)
        jobs = jobs_of(settings, file_settings(context).organizations, wanted.only)
        combined = Combined.read(settings)
        refuse_overwriting(
            ((job.name or "", places_of(job)) for job in jobs), combined_places(settings)
        )
    except KeyVigilError:
        with sign_of_life(None, None, is_off=wanted.is_dry):
            raise
    if len(jobs) == 1:
        scan_one(jobs[0], once, combined, is_dry=wanted.is_dry, is_verbose=wanted.is_verbose)
        return
    with sign_of_life(None, None, is_off=wanted.is_dry) as run:
        code, run.reason = scan_each(
            jobs, once, combined, is_dry=wanted.is_dry, is_verbose=wanted.is_verbose
        )
        raise typer.Exit(code)


def _judge_again(name: str, chosen: Chosen) -> ExitCode:
    """Evaluate a snapshot or recorded scan with the current policies, and report the result."""
    policies = load_policies(chosen[POLICIES])
    organization = chosen[ORGANIZATION]
    wanted = chosen[SNAPSHOT] if chosen.origin(SNAPSHOT) == SNAPSHOT.flag else None
    snapshot = named(wanted, organization) if wanted else None
    outputs = read_outputs(chosen[OUTPUTS], snapshot, organization)
    saw = _what_was_seen(name, store_settings(chosen, os.environ), organization)
    source = stored(saw, make_plan(policies, skip=chosen[SKIP]))
    reported = scan_and_report(
        source, policies, outputs, snapshot, name=organization, masks=chosen[REDACT]
    )
    return conclude(reported.result, reported.failures, chosen[FAIL_ON])


def _refuse_options_of_a_walk(chosen: Chosen, wanted: Wanted) -> None:
    """Raise UsageError for an option that has no effect without requests to the API."""
    given = [one.flag for one in _OF_A_WALK if chosen.origin(one) == one.flag]
    own = {"--dry-run": wanted.is_dry, "--unless-since": bool(wanted.unless_since)}
    for flag in (*given, *(flag for flag, is_given in own.items() if is_given)):
        raise UsageError(
            f"{flag} has no effect with --from, which sends no requests and is not recorded.",
            help=f"Omit --from or {flag}.",
        )


def _what_was_seen(name: str, settings: StoreSettings | None, organization: str | None) -> Snapshot:
    """Return the snapshot in a file, or that of a recorded scan; raise UsageError."""
    if settings is None or Path(name).exists() or not _SCAN.fullmatch(name):
        return read_snapshot(Path(name).expanduser())
    history = open_store(settings, must_exist=True)
    night = history.find(name, organization, before=now() + CLOCKS_DIFFER)
    return parse_snapshot(BytesIO(history.snapshot(night.scan_id)), f"the scan {night.scan_id}")
