"""`keyvigil scan`: scan one organization, or all in the settings."""

from pathlib import Path
from typing import Annotated, Final

import typer

from scanner.cli.commands.plain import BriefCommand, HelpAllOption, group
from scanner.cli.log_format import LogFormat
from scanner.cli.options import LogFormatOption, QuietOption, taking
from scanner.settings_table import SETTINGS

_EPILOG: Final = """\b
Examples:
  keyvigil scan --output html=report.html
  keyvigil scan --policy strict --fail-on high
  keyvigil scan --from latest --policy my-policy.yaml

\b
Exit codes:
  0  success
  1  violations at or above --fail-on
  2  error in the command, the environment, the settings or a policy
  3  the scan failed or is incomplete
  4  an alert was not delivered; the next scan tries again
  5  a revocation failed, or its result is unknown
"""
_From = Annotated[
    str | None,
    typer.Option(
        "--from",
        rich_help_panel="Input",
        metavar="SNAPSHOT|SCAN",
        help="Evaluate a snapshot or a recorded scan. Its own time counts; this needs no key and"
        " no network, and is not recorded.",
    ),
]
_Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel="Input",
        help="Scan only this organization of the settings. Can be repeated. Default: all.",
    ),
]
_DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel="History",
        help="Compare with the history, but record, notify and revoke nothing.",
    ),
]
_UnlessSince = Annotated[
    str | None,
    typer.Option(
        metavar="MOMENT",
        rich_help_panel="History",
        help="Do not scan if a complete scan began after MOMENT. For several machines with one"
        " schedule; for example 2026-11-25T02:30:00Z.",
    ),
]
_Account = Annotated[
    Path | None,
    typer.Option(hidden=True, metavar="PATH", help="Write how the scan ended."),
]
_Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Print what is collected and why, and retries."),
]

app = group("")


@app.command(cls=BriefCommand, epilog=_EPILOG)
@taking(*SETTINGS)
def scan(
    context: typer.Context,
    from_: _From = None,
    only: _Only = None,
    dry_run: _DryRun = False,
    unless_since: _UnlessSince = None,
    account: _Account = None,
    _log_format: LogFormatOption = LogFormat.CONSOLE,
    verbose: _Verbose = False,
    _quiet: QuietOption = False,
    _help_all: HelpAllOption = False,
) -> None:
    """Scan the organization of the admin key, or all organizations in keyvigil.yaml.

    Changes no keys unless revocation is enabled. Options can also be set in keyvigil.yaml or in
    the environment.
    """
    from scanner.cli.scan import Wanted, scan

    scan(
        context,
        Wanted(
            from_=from_,
            only=only or (),
            is_dry=dry_run,
            unless_since=unless_since,
            account=account,
            is_verbose=verbose,
        ),
    )
