"""`keyvigil scan`: one scan now, of one organization or of each that the settings list."""

import os
import re
from io import BytesIO
from pathlib import Path
from typing import Annotated, Final

import typer

from scanner.cli.account import AccountOption, Once, UnlessSinceOption
from scanner.cli.console import ExitCode, LogFormatOption
from scanner.cli.job import jobs_of, scan_one
from scanner.cli.log_format import LogFormat
from scanner.cli.many import scan_each
from scanner.cli.options import chosen, file_settings, taking
from scanner.cli.outputs import named, read_outputs
from scanner.cli.run import conclude, scan_and_report, stored
from scanner.cli.sign_of_life import sign_of_life
from scanner.errors import KeyVigilError, UsageError
from scanner.formats.snapshot import Snapshot, parse_snapshot, read_snapshot
from scanner.plan import make_plan
from scanner.policy_files import load_policies
from scanner.setting import Chosen
from scanner.settings import StoreSettings, store_settings
from scanner.settings_table import (
    COLLECT,
    CONNECTION,
    FAIL_ON,
    METRICS,
    ORGANIZATION,
    OUTPUTS,
    POLICIES,
    REDACT,
    SETTINGS,
    SKIP,
    SNAPSHOT,
)
from scanner.wiring import open_store

EXIT_CODES: Final = """Exit codes:

0  done

1  violations at or above --fail-on

2  a mistake in the command, the environment, the settings or a policy

3  the scan failed or is incomplete

4  an alert was not delivered; the next scan tries again

5  a key that was due was not revoked
"""
_OF_A_WALK: Final = (COLLECT, METRICS, *CONNECTION)
_SCAN: Final = re.compile(r"latest|previous|[0-9]{8}(T[0-9]{0,6}(Z(-[0-9a-f]{0,8})?)?)?")
_From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SNAPSHOT|SCAN",
        help="Judge what a snapshot, or a scan of the history, saw; as of its own moment."
        " Needs no key and no network, and is not recorded.",
    ),
]
_Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Scan only this organization of the settings; may be given again. Default: all.",
    ),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Compare with the history, and record nothing.")
]
_Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Tell what is asked for and why, and every retry."),
]


@taking(*SETTINGS)
def scan(
    context: typer.Context,
    from_: _From = None,
    only: _Only = None,
    dry_run: _DryRun = False,
    unless_since: UnlessSinceOption = None,
    account: AccountOption = None,
    _log_format: LogFormatOption = LogFormat.CONSOLE,
    verbose: _Verbose = False,
) -> None:
    """Scan the organization of OPENAI_ADMIN_KEY now, or each that the settings list.

    Changes nothing, but where it was told to. Every option can stand in keyvigil.yaml or in the
    environment, too.
    """
    if from_ is not None:
        settings = chosen(context)
        _refuse_options_of_a_walk(settings, dry_run=dry_run, unless_since=unless_since)
        raise typer.Exit(_judge_again(from_, settings))
    try:
        once = Once.read(unless_since, account)
        jobs = jobs_of(chosen(context), file_settings(context).organizations, only or ())
    except KeyVigilError:
        with sign_of_life(None, None, is_off=dry_run):
            raise
    if len(jobs) == 1:
        scan_one(jobs[0], once, is_dry=dry_run, is_verbose=verbose)
        return
    with sign_of_life(None, None, is_off=dry_run) as run:
        code, run.reason = scan_each(jobs, once, is_dry=dry_run, is_verbose=verbose)
        raise typer.Exit(code)


def _judge_again(name: str, chosen: Chosen) -> ExitCode:
    """Judge what was seen by the policies of today, and report that."""
    policies = load_policies(chosen[POLICIES])
    organization = chosen[ORGANIZATION]
    wanted = chosen[SNAPSHOT] if chosen.origin(SNAPSHOT) == SNAPSHOT.flag else None
    snapshot = named(wanted, organization) if wanted else None
    outputs = read_outputs(chosen[OUTPUTS], snapshot, organization)
    saw = _what_was_seen(name, store_settings(chosen, os.environ), organization)
    source = stored(saw, make_plan(policies, skip=chosen[SKIP]))
    result, failures = scan_and_report(source, policies, outputs, snapshot, masks=chosen[REDACT])
    return conclude(result, failures, chosen[FAIL_ON])


def _refuse_options_of_a_walk(chosen: Chosen, *, dry_run: bool, unless_since: str | None) -> None:
    """Raise UsageError for an option that means nothing where nobody is asked."""
    given = [one.flag for one in _OF_A_WALK if chosen.origin(one) == one.flag]
    own = {"--dry-run": dry_run, "--unless-since": bool(unless_since)}
    for flag in (*given, *(flag for flag, is_given in own.items() if is_given)):
        raise UsageError(
            f"{flag} has no effect with --from, which asks nobody and records nothing.",
            help="Leave one of the two out.",
        )


def _what_was_seen(name: str, settings: StoreSettings | None, organization: str | None) -> Snapshot:
    """Return the snapshot in a file, or that of a scan of the history; raise UsageError."""
    if settings is None or Path(name).exists() or not _SCAN.fullmatch(name):
        return read_snapshot(Path(name).expanduser())
    history = open_store(settings, must_exist=True)
    night = history.find(name, organization)
    return parse_snapshot(BytesIO(history.snapshot(night.scan_id)), f"the scan {night.scan_id}")
