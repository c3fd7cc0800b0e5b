"""`keyvigil config`: print the settings and their sources, and validate the file."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table

from scanner.addresses import without_user
from scanner.cli.choosing import chosen, file_settings, with_file
from scanner.cli.console import counted, inert, out
from scanner.cli.job import jobs_of, places_of
from scanner.cli.outputs import combined_places, refuse_overwriting
from scanner.errors import UsageError
from scanner.organizations_file import OWN, Organization
from scanner.policy_files import load_policies, read_policies
from scanner.references import Reference
from scanner.schedule_file import CRON, TIME_ZONE
from scanner.setting import Chosen, Setting, spelled
from scanner.settings_file import (
    DEFAULT_FILE,
    FileSettings,
    find_settings_file,
    read_bounds,
    read_settings_file,
    timing_of,
)
from scanner.settings_schema import settings_schema
from scanner.settings_table import POLICIES, SETTINGS
from scanner.variables import VARIABLES

_UNSET: Final = "not set"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A printed setting, without secrets."""

    name: str
    value: str
    origin: str


def show(context: typer.Context, *, tells_origin: bool, as_json: bool) -> None:
    """Print the value of each setting; of a secret, whether it is set."""
    settings, file = chosen(context), file_settings(context)
    rows = [
        *(_row(settings, one) for one in SETTINGS),
        *_organizations(file),
        *_alerts(file),
        *_revocation(settings, file),
        *_schedule(settings, file),
        *_variables(),
    ]
    if as_json:
        listed = [{"name": row.name, "value": row.value, "origin": row.origin} for row in rows]
        document = {"config": str(settings.config) if settings.config else None}
        typer.echo(json.dumps({**document, "settings": listed}, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Setting", "Value", *(["From"] if tells_origin else [])):
        table.add_column(heading, overflow="fold", no_wrap=heading == "Setting")
    for row in rows:
        table.add_row(row.name, inert(row.value), *([inert(row.origin)] if tells_origin else []))
    out.print(table)
    where = (
        f"Settings file: {settings.config}"
        if settings.config
        else f"No {DEFAULT_FILE} in this folder."
    )
    out.print(inert(where, "dim"), soft_wrap=True)


def schema() -> None:
    """Print the JSON Schema of keyvigil.yaml."""
    typer.echo(json.dumps(settings_schema(), indent=2))


def validate(file: Path | None) -> None:
    """Check the settings file and its policies; raise UsageError or PolicyError."""
    path = find_settings_file(os.environ, file)
    if path is None:
        raise UsageError(
            f"No {DEFAULT_FILE} was found in this folder.",
            help="Name a file, or create one with keyvigil init.",
        )
    said = read_settings_file(path)
    read = with_file(Chosen(config=path), said)
    jobs = jobs_of(read, said.organizations, ())
    refuse_overwriting(((job.name or "", places_of(job)) for job in jobs), combined_places(read))
    named = [job.chosen[POLICIES] for job in jobs]
    read_policies(dict.fromkeys(name for policies in named for name in policies))
    for policies in named:
        load_policies(policies)
    parts = [
        counted(len(said.said), "setting"),
        *([counted(len(said.organizations), "organization")] if said.organizations else []),
        *([counted(len(said.routes), "route")] if said.routes else []),
    ]
    out.print(inert(f"{path}: valid, {', '.join(parts)}"), soft_wrap=True)


def _row(settings: Chosen, setting: Setting[Any]) -> _Row:
    value, origin = settings[setting], settings.origin(setting)
    text = setting.otherwise if value == setting.default else spelled(value)
    way, colon, variable = text.partition(":")
    if colon and way == "env":
        text = f"{text} ({_set(variable)})"
    return _Row(name=setting.name or setting.parameter, value=text, origin=origin)


def _organizations(file: FileSettings) -> Iterator[_Row]:
    for one in file.organizations:
        yield _Row(name=f"organizations.{one.name}.key", value=_where(one.key), origin=one.key.at)
        yield from _own(one)


def _own(organization: Organization) -> Iterator[_Row]:
    for word, setting in OWN.items():
        said = organization.own.get(setting.parameter)
        if said:
            name = f"organizations.{organization.name}.{word}"
            yield _Row(name=name, value=" ".join(said.texts), origin=said.at)


def _where(key: Reference) -> str:
    return f"{key} ({_set(key.variable)})" if key.variable else str(key)


def _alerts(file: FileSettings) -> Iterator[_Row]:
    at = file.at.get("alerts", "default")
    routes = " ".join(route.name for route in file.routes) or "from the environment"
    yield _Row(name="alerts.routes", value=routes, origin=at)
    if file.report:
        yield _Row(name="alerts.report", value=file.report, origin=at)


def _revocation(settings: Chosen, file: FileSettings) -> Iterator[_Row]:
    bounds = read_bounds(os.environ, settings.config)
    at = file.at.get("revocation", "default")
    for one in fields(bounds):
        value = getattr(bounds, one.name)
        text = spelled(tuple(sorted(value)) if isinstance(value, frozenset) else value)
        is_off = one.name == "mode" and bounds.mode is not file.bounds.mode
        origin = "KEYVIGIL_REVOCATION" if is_off else at
        word = one.name.replace("protected_", "protect.")
        yield _Row(name=f"revocation.{word}", value=text or "none", origin=origin)


def _schedule(settings: Chosen, file: FileSettings) -> Iterator[_Row]:
    timing = timing_of(os.environ, settings.config)
    at = file.at.get("schedule", "default")
    for word, value, variable in (
        ("cron", timing.schedule.cron.text, CRON),
        ("time_zone", str(timing.schedule.zone), TIME_ZONE),
        ("jitter", spelled(timing.schedule.jitter), ""),
        ("timeout", spelled(timing.timeout), ""),
    ):
        is_elsewhere = bool(os.environ.get(variable, "").strip())
        yield _Row(name=f"schedule.{word}", value=value, origin=variable if is_elsewhere else at)


def _variables() -> Iterator[_Row]:
    for one in VARIABLES:
        text = os.environ.get(one.name, "").strip()
        shown = "***" if one.is_secret else without_user(text)
        yield _Row(
            name=one.name, value=shown if text else _UNSET, origin=one.name if text else "default"
        )


def _set(variable: str) -> str:
    return "set" if os.environ.get(variable, "").strip() else _UNSET
