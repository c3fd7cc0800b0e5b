"""`keyvigil scan`: one scan now, of one organization or of each that the settings list."""

from pathlib import Path
from typing import Annotated, Final

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.log_format import LogFormat
from scanner.cli.options import LogFormatOption, taking
from scanner.settings_table import SETTINGS

_EXIT_CODES: Final = """\b
Exit codes:
  0  done
  1  violations at or above --fail-on
  2  a mistake in the command, the environment, the settings or a policy
  3  the scan failed or is incomplete
  4  an alert was not delivered; the next scan tries again
  5  a key that was due was not revoked
"""
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
_UnlessSince = Annotated[
    str | None,
    typer.Option(
        metavar="MOMENT",
        help="Do nothing if a complete scan that began since then, such as 2026-11-25T02:30:00Z,"
        " is recorded: several machines can have one schedule.",
    ),
]
_Account = Annotated[
    Path | None,
    typer.Option(hidden=True, metavar="PATH", help="Write what became of the scan."),
]
_Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Tell what is asked for and why, and every retry."),
]

app = group("")


@app.command(cls=Command, epilog=_EXIT_CODES)
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
) -> None:
    """Scan the organization of OPENAI_ADMIN_KEY now, or each that the settings list.

    Changes nothing, but where it was told to. Every option can stand in keyvigil.yaml or in the
    environment, too.
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
