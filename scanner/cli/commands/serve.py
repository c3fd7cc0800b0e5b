"""`keyvigil serve`: a scan every night, without cron."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.log_format import LogFormat
from scanner.cli.options import LogFormatOption, taking
from scanner.settings_table import SETTINGS

_Cron = Annotated[
    str | None,
    typer.Option(
        "--cron",
        metavar="EXPRESSION",
        help="When scans are due, as in crontab: '30 2 * * *', @daily. Default: as the settings"
        " say, else every night at 02:30. Also KEYVIGIL_CRON.",
    ),
]
_TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The time zone of the schedule, such as Europe/Berlin. Default: as the settings say,"
        " else UTC. Also KEYVIGIL_TIME_ZONE.",
    ),
]
_Listen = Annotated[
    str,
    typer.Option(
        envvar="KEYVIGIL_LISTEN",
        metavar="HOST:PORT",
        help="Where /healthz, /readyz and /metrics are.",
    ),
]
_Reports = Annotated[
    Path | None,
    typer.Option(
        envvar="KEYVIGIL_REPORTS",
        metavar="FOLDER",
        help="Show the reports in this folder under /reports/, to whoever holds"
        " KEYVIGIL_REPORTS_TOKEN. Default: no reports are shown.",
    ),
]
_Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        envvar="KEYVIGIL_ALLOW_HOST",
        metavar="NAME",
        help="A name of this server under which /metrics may be read without a token, besides IP"
        " addresses and localhost. Can be repeated; in the environment separated by blanks.",
    ),
]
_Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Let scans tell what they ask for and why.")
]

app = group("")


@app.command(cls=Command)
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
) -> None:
    """Scan every night until stopped; each scan is a process of its own.

    SIGHUP, or a changed file, has settings and policies read anew. SIGTERM ends the scan that runs
    within seconds, as an incomplete one, and exits 0.
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
