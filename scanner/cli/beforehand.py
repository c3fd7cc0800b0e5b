"""Checks of `keyvigil serve`: find errors in the settings before the first scan."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scanner.alert_settings import read_ping_url
from scanner.cli.choosing import with_file
from scanner.cli.job import jobs_of, metrics_of, places_of
from scanner.cli.memory import refuse_to_forget
from scanner.cli.outputs import (
    combined_places,
    named,
    read_combined,
    read_outputs,
    refuse_overwriting,
)
from scanner.cli.run import Output
from scanner.cli.telling import read_alerts
from scanner.errors import KeyVigilError, UsageError
from scanner.formats.files import check_writable, try_to_write
from scanner.setting import Chosen, Setting
from scanner.settings import StoreSettings, read_settings, store_settings
from scanner.settings_file import FileSettings, read_bounds
from scanner.settings_table import COMBINED, OUTPUTS, SNAPSHOT


def check_scans(settings: Chosen, file: FileSettings) -> None:
    """Raise UsageError if every scan with these settings and that file would fail.

    A command that prints a key is not run: it may be unavailable for a moment.
    """
    read = with_file(settings, file)
    routes = read_alerts(settings.config, lambda _scan: None).routes
    bounds = read_bounds(os.environ, settings.config)
    read_ping_url(os.environ)
    jobs = jobs_of(read, file.organizations, ())
    _refuse_stdout(COMBINED, read_combined(read))
    for job in jobs:
        snapshot = job.chosen[SNAPSHOT]
        outputs = read_outputs(
            job.chosen[OUTPUTS], snapshot and named(snapshot, job.name), job.name, metrics_of(job)
        )
        _refuse_stdout(OUTPUTS, outputs)
        kept = store_settings(job.chosen, os.environ)
        if kept is None:
            refuse_to_forget(routes, bounds)
        _check_history(file_of(kept))
        if job.key is None or not job.key.command:
            read_settings(job.chosen, os.environ, job.key)
    refuse_overwriting(((job.name or "", places_of(job)) for job in jobs), combined_places(read))


def _refuse_stdout(setting: Setting[Any], outputs: Sequence[Output]) -> None:
    if any(path is None for _, path in outputs):
        raise UsageError(
            f"{setting.flag}: keyvigil serve cannot write reports to stdout.",
            help=f"Name a file: {setting.flag} html=reports/latest.html",
        )


def _check_history(file: Path | None) -> None:
    """Raise UsageError if the history cannot be written to that file; None is a database."""
    if file is None:
        return
    try:
        check_writable(file)
        if not file.exists():
            try_to_write(file)
    except KeyVigilError as error:
        raise UsageError(
            f"The history cannot be stored: {error}",
            help="Name another file with --store, or use --store none to scan without a history.",
        ) from None


def file_of(history: StoreSettings | None) -> Path | None:
    """Return the SQLite file of a history; None for a PostgreSQL database, or without a history."""
    place = history.place.reveal() if history else ""
    return Path(place).expanduser() if place and "://" not in place else None
