"""`keyvigil serve`: scheduled scans without cron."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import BriefCommand, HelpAllOption, group
from scanner.cli.log_format import LogFormat
from scanner.cli.options import LogFormatOption, taking
from scanner.settings_table import SETTINGS

_Cron = Annotated[
    str | None,
    typer.Option(
        "--cron",
        metavar="EXPRESSION",
        help="Schedule, as in crontab. For example '30 2 * * *' or @daily. Default: that of the"
        " settings, else daily at 02:30. Also KEYVIGIL_CRON.",
    ),
]
_TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Time zone of the schedule. For example Europe/Berlin. Default: that of the settings,"
        " else UTC. Also KEYVIGIL_TIME_ZONE.",
    ),
]
_Listen = Annotated[
    str,
    typer.Option(
        envvar="KEYVIGIL_LISTEN",
        metavar="HOST:PORT",
        help="Address of health checks and metrics. Paths: /healthz, /readyz, /metrics.",
    ),
]
_Reports = Annotated[
    Path | None,
    typer.Option(
        envvar="KEYVIGIL_REPORTS",
        metavar="FOLDER",
        help="Folder of reports to serve. They are under /reports/ and require"
        " KEYVIGIL_REPORTS_TOKEN. Default: no reports are served.",
    ),
]
_Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        envvar="KEYVIGIL_ALLOW_HOST",
        metavar="NAME",
        help="Host name that may read /metrics. Without a token, only this name, IP addresses and"
        " localhost may. Can be repeated; separated by blanks in the environment.",
    ),
]
_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print each request of the scans.")]

app = group("")


@app.command(cls=BriefCommand)
@taking(*SETTINGS)
def serve(
    context: typer.Context,
    cron: _Cron = None,
    time_zone: _TimeZone = None,
    listen: _Listen = "127.0.0.1:8080",
    reports: _Reports = None,
    allow_host: _Hosts = None,
    log_format: LogFormatOption = LogFormat.CONSOLE,
    verbose: _Verbose = False,
    _help_all: HelpAllOption = False,
) -> None:
    """Scan on a schedule until stopped; each scan is its own process.

    SIGHUP or a changed file reloads settings and policies. SIGTERM ends a running scan within
    seconds as incomplete, and exits 0.
    """
    from scanner.cli.serve import Wanted, serve

    serve(
        context,
        Wanted(
            cron=cron,
            time_zone=time_zone,
            listen=listen,
            reports=reports,
            hosts=tuple(allow_host or ()),
            log_format=log_format,
            is_verbose=verbose,
        ),
    )
