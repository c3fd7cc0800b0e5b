"""`keyvigil serve`: a scan every night, without cron."""

import logging
import os
import queue
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from scanner.cli.console import ExitCode
from scanner.cli.logs import FromLibraries, LogFormat, LogFormatOption, StreamLog
from scanner.cli.memory import OrganizationOption, StoreOption
from scanner.cli.outputs import OutputOption, RedactOption, read_outputs
from scanner.cli.scan import (
    CollectOption,
    ConcurrencyOption,
    DeadlineOption,
    FailOnOption,
    PolicyOption,
    SkipOption,
    VerboseOption,
)
from scanner.cli.telling import ConfigOption
from scanner.daemon.children import Children
from scanner.daemon.events import Level, Log
from scanner.daemon.http import parse_address, serving
from scanner.daemon.loading import Files, Options
from scanner.daemon.metrics import Metrics
from scanner.daemon.nightly import Daemon, Timekeeping
from scanner.daemon.pages import Pages
from scanner.daemon.reports import TOKEN, Reports
from scanner.errors import UsageError
from scanner.secret import Secret
from scanner.settings import (
    DEFAULT_CONCURRENCY,
    is_loopback,
    read_settings,
    read_store_settings,
)
from scanner.wiring import now

COMMAND: Final = (sys.executable, "-m", "scanner")
STORE: Final = "KEYVIGIL_STORE"
_LOOK: Final = 5.0
"""Seconds between two looks at the files and at the clock."""
_RELOAD: Final = getattr(signal, "SIGHUP", None)  # which Windows has not
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, *([_RELOAD] if _RELOAD else []))
_OF_A_SCAN: Final = {
    "output": "--output",
    "fail_on": "--fail-on",
    "concurrency": "--concurrency",
    "deadline": "--deadline",
    "collect": "--collect",
    "skip": "--skip",
    "organization": "--organization",
    "redact_emails": "--redact-emails",
    "verbose": "--verbose",
}

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
        help=f"Show the reports in this folder under /reports/, to whoever holds {TOKEN}."
        " Default: no reports are shown.",
    ),
]
_Textfile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Join the metrics that stand in this file into /metrics."),
]


def serve(
    context: typer.Context,
    cron: _Cron = None,
    time_zone: _TimeZone = None,
    policy: PolicyOption = None,
    output: OutputOption = None,
    config: ConfigOption = None,
    listen: _Listen = "127.0.0.1:8080",
    reports: _Reports = None,
    metrics_textfile: _Textfile = None,
    log_format: LogFormatOption = LogFormat.TEXT,
    fail_on: FailOnOption = None,
    concurrency: ConcurrencyOption = DEFAULT_CONCURRENCY,
    deadline: DeadlineOption = None,
    collect: CollectOption = "needed",
    skip: SkipOption = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    redact_emails: RedactOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Scan every night until stopped; each scan is a process of its own.

    SIGHUP, or a changed file, has settings and policies read anew. SIGTERM ends the scan that runs
    within seconds, as an incomplete one, and exits 0.
    """
    _check(output, store)
    environment = {**os.environ, **({STORE: store} if store else {})}
    token = Secret(environment.pop(TOKEN, "").strip())
    served = Served(
        address=parse_address(listen),
        metrics=Metrics(metrics_textfile),
        reports=Reports(reports, token) if reports else None,
    )
    options = Options(
        config=config,
        policies=policy or ["baseline"],
        cron=cron,
        time_zone=time_zone,
        rest=_arguments(context),
    )
    log = StreamLog(log_format)
    with private_folder() as folder:
        loading = Files(options, environment, folder)
        children = Children(COMMAND, environment, folder, log, organization)
        daemon = Daemon(loading, children, served.metrics, log, Timekeeping(clock=now))
        number = run_daemon(daemon, served, log)
    raise typer.Exit(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is to be seen over HTTP, and where."""

    address: tuple[str, int]
    metrics: Metrics
    reports: Reports | None = None


def run_daemon(daemon: Daemon, served: Served, log: StreamLog, look: float = _LOOK) -> int:
    """Run scans until a signal says to stop; return which. `look` is in seconds."""
    pages = Pages(
        health=daemon.health,
        is_ready=lambda: daemon.is_ready,
        metrics=lambda: served.metrics.render(daemon.next_run()),
        clock=now,
        reports=served.reports,
    )
    libraries = logging.getLogger()
    handler = FromLibraries(log)
    libraries.addHandler(handler)
    try:
        with told_by_signals() as told, serving(pages, *served.address, log) as (host, port):
            _tell_where(served, host, port, log)
            daemon.start()
            try:
                return _until_told(daemon, told, look)
            finally:
                log(Level.INFO, "stopping")
                daemon.stop()
                log(Level.INFO, "stopped")
    finally:
        libraries.removeHandler(handler)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder for this user alone, and remove it with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix="keyvigil-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def told_by_signals() -> Iterator["queue.SimpleQueue[int]"]:
    """Yield what the numbers of the signals to stop or to reload are put into, as they come."""
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def note(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _until_told(daemon: Daemon, told: "queue.SimpleQueue[int]", look: float) -> int:
    while True:
        try:
            number = told.get(timeout=look)
        except queue.Empty:
            daemon.look()
            continue
        if number != _RELOAD:
            return number
        daemon.reload("SIGHUP")


def _tell_where(served: Served, host: str, port: int, log: Log) -> None:
    has_reports = served.reports is not None
    log(Level.INFO, "listening", host=host, port=port, reports=has_reports)
    if has_reports and not is_loopback(host):
        log(
            Level.WARNING,
            "reports_readable_on_the_way",
            help="the reports and their token travel over plain http: put TLS in front",
        )


def _check(output: list[str] | None, store: str | None) -> None:
    """Refuse now what every scan would refuse at night; raise UsageError."""
    if any(path is None for _, path in read_outputs(output or [], None)):
        raise UsageError(
            "--output: keyvigil serve writes reports to files, and none to stdout.",
            help="Name a file: --output html=reports/latest.html",
        )
    read_store_settings(os.environ, store)
    read_settings(os.environ)


def _arguments(context: typer.Context) -> tuple[str, ...]:
    """Return what a scan is to be told of this command's options; it reads the environment, too."""
    words: list[str] = []
    for name, option in _OF_A_SCAN.items():
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if isinstance(value, bool):
            words += [option] * value
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            words += [option, str(getattr(one, "value", one))]
    return tuple(words)
