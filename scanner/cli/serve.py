"""`keyvigil serve`: scheduled scans without cron."""

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
from typing import Final

import typer

from scanner.addresses import is_loopback
from scanner.cli.beforehand import check_scans, file_of
from scanner.cli.choosing import chosen
from scanner.cli.console import ExitCode
from scanner.cli.log_format import LOG_FORMAT, LogFormat
from scanner.cli.logs import FromLibraries, StreamLog
from scanner.cli.outputs import (
    named,
)
from scanner.daemon.access import TOKEN, Access
from scanner.daemon.children import Children
from scanner.daemon.events import Level, Log
from scanner.daemon.http import parse_address, serving
from scanner.daemon.loading import Files, Options
from scanner.daemon.metrics import Metrics
from scanner.daemon.nightly import Daemon, Timekeeping
from scanner.daemon.pages import Pages
from scanner.daemon.reports import Reports
from scanner.errors import UsageError
from scanner.secret import Secret
from scanner.setting import Chosen
from scanner.settings import store_settings
from scanner.settings_table import (
    METRICS,
    ORGANIZATION,
    POLICIES,
    SETTINGS,
    STORE,
)
from scanner.wiring import now

COMMAND: Final = (sys.executable, "-m", "scanner")
_LOOK: Final = 5.0
"""Seconds between two checks of the files and the clock."""
_RELOAD: Final = getattr(signal, "SIGHUP", None)  # absent on Windows
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, *([_RELOAD] if _RELOAD else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of the command that are not settings."""

    cron: str | None
    time_zone: str | None
    listen: str
    reports: Path | None
    hosts: tuple[str, ...]
    log_format: LogFormat
    is_verbose: bool


def serve(context: typer.Context, wanted: Wanted) -> None:
    """Scan on the schedule until a signal stops it; always raise typer.Exit."""
    settings = chosen(context)
    token = Secret(os.environ.get(TOKEN, "").strip())
    address = parse_address(wanted.listen)
    hosts = (address[0], *wanted.hosts)
    served = Served(
        address=address,
        metrics=Metrics(),
        access=Access(token, hosts, is_required=wanted.reports is not None),
        reports=Reports(wanted.reports) if wanted.reports else None,
    )
    metrics = settings[METRICS] if settings.is_said(METRICS) else None
    options = Options(
        config=settings.config,
        policies=settings[POLICIES] if settings.is_said(POLICIES) else (),
        textfile=named(metrics, settings[ORGANIZATION]) if metrics else None,
        history=file_of(store_settings(settings, os.environ)),
        cron=wanted.cron,
        time_zone=wanted.time_zone,
        rest=(*_said(context, settings), *(["--verbose"] if wanted.is_verbose else [])),
    )
    environment = environment_of_scans(settings)
    log = StreamLog(wanted.log_format)
    with private_folder() as folder:
        loading = Files(options, os.environ, folder, lambda file: check_scans(settings, file))
        children = Children(COMMAND, environment, folder, log)
        daemon = Daemon(loading, children, served.metrics, log, Timekeeping(clock=now))
        number = run_daemon(daemon, served, log)
    raise typer.Exit(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The HTTP server: its address, and the metrics and reports that it serves."""

    address: tuple[str, int]
    metrics: Metrics
    access: Access
    reports: Reports | None = None


def run_daemon(daemon: Daemon, served: Served, log: StreamLog, look: float = _LOOK) -> int:
    """Run scans until a signal stops it; return the signal. `look` is in seconds."""
    pages = Pages(
        health=daemon.health,
        is_ready=lambda: daemon.is_ready,
        metrics=lambda: served.metrics.render(daemon.next_run(), daemon.textfiles()),
        clock=now,
        access=served.access,
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
    """Create a temporary folder that only this user can read; delete it with its contents.

    Raise UsageError if it cannot be created.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="keyvigil-"))
    except OSError as error:
        where = f"{Path(str(error.filename)).parent}: " if error.filename else ""
        raise UsageError(
            f"keyvigil serve cannot create a temporary folder: {where}{error.strerror}.",
            help="Mount a writable /tmp (in a container, a tmpfs), or set TMPDIR to another"
            " writable folder.",
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def told_by_signals() -> Iterator["queue.SimpleQueue[int]"]:
    """Yield a queue of the numbers of received signals: those to stop and the one to reload."""
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
    reports = served.reports
    log(Level.INFO, "listening", host=host, port=port, reports=reports is not None)
    if reports is None:
        return
    trouble = reports.trouble()
    if trouble:
        log(Level.WARNING, "reports_unreadable", folder=reports.folder.absolute(), reason=trouble)
    elif not reports.folder.exists():
        log(
            Level.WARNING,
            "reports_missing",
            folder=reports.folder.absolute(),
            help="the folder does not exist yet: make sure that --output writes to it",
        )
    if not is_loopback(host):
        log(
            Level.WARNING,
            "reports_served_without_tls",
            help="reports and token are sent over plain HTTP: put a TLS proxy in front",
        )


def environment_of_scans(settings: Chosen) -> dict[str, str]:
    """Return the environment of the child processes that scan or read the history."""
    environment = {name: value for name, value in os.environ.items() if name != TOKEN}
    environment[LOG_FORMAT] = LogFormat.JSON
    place = settings[STORE]
    if place is not None and settings.origin(STORE) == STORE.flag:
        environment[STORE.variable] = place.reveal()
    name = settings[ORGANIZATION]
    if name is not None and settings.origin(ORGANIZATION) == ORGANIZATION.flag:
        environment[ORGANIZATION.variable] = name
    return environment


def _said(context: typer.Context, settings: Chosen) -> Iterator[str]:
    """Yield the flags to pass on to each scan, which reads the environment itself."""
    for setting in SETTINGS:
        if settings.origin(setting) != setting.flag or setting in (STORE, ORGANIZATION):
            continue
        value = context.params[setting.parameter]
        if setting.kind.is_switch:
            yield setting.flag if value else f"--no-{setting.flag[2:]}"
            continue
        for one in value if setting.kind.is_many else (value,):
            yield from (setting.flag, str(one))
