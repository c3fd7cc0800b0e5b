"""Resolve settings from flags, environment and file, in this order of precedence."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import typer

from scanner.cli.options import TAKES
from scanner.collection import Collection
from scanner.database_address import UnfitError
from scanner.errors import KeyVigilError, UsageError
from scanner.setting import Chosen, Setting
from scanner.settings import refuse_misspelt
from scanner.settings_file import FileSettings, find_settings_file, read_settings_file
from scanner.settings_table import ORGANIZATION, REDACT, SETTINGS, SKIP, STORE
from scanner.values_file import Said

_FILE: Final = "keyvigil.settings"
_MISTAKE: Final = "keyvigil.mistake"


def load(context: typer.Context, named: Path | None) -> Path | None:
    """Read the settings file and make its values the defaults of the command's options.

    Raise SettingsError, or UsageError also for a misspelt KEYVIGIL_ variable; for a command that
    calls `chosen`, that call raises it instead.
    """
    path = find_settings_file(os.environ, named)
    file = FileSettings()
    takes = getattr(context.command.callback, TAKES, None)
    try:
        refuse_misspelt(os.environ)
        file = read_settings_file(path) if path else file
    except KeyVigilError as error:
        if takes is None:
            raise
        context.meta[_MISTAKE] = error
    context.meta[_FILE] = file
    takes = takes or (STORE, ORGANIZATION, REDACT, SKIP)
    by_variable = {setting.variable: setting for setting in takes}
    context.default_map = {}
    for parameter in context.command.params:
        setting = by_variable.get(str(getattr(parameter, "envvar", "")))
        said = setting and _said(setting, file)
        if setting and said and parameter.name:
            value = list(said.texts) if setting.kind.is_many else said.text
            context.default_map[parameter.name] = value
        if setting is ORGANIZATION and len(file.organizations) == 1:
            context.default_map[parameter.name] = file.organizations[0].name
    return path


def file_settings(context: typer.Context) -> FileSettings:
    """Return the settings file of this command; raise the error of reading it."""
    mistake: KeyVigilError | None = context.meta.get(_MISTAKE)
    if mistake is not None:
        raise mistake
    file: FileSettings = context.meta[_FILE]
    return file


def chosen(context: typer.Context) -> Chosen:
    """Return the settings that the command takes; raise UsageError for an invalid value."""
    file = file_settings(context)
    taken = {one.parameter: one for one in SETTINGS if one.parameter in context.params}
    origins = {name: _origin(context, one, file) for name, one in taken.items()}
    values = {
        name: _value(one, context.params[name], origins[name])
        for name, one in taken.items()
        if origins[name] != "default"
    }
    return Chosen(
        values=values,
        origin=lambda setting: origins.get(setting.parameter, "default"),
        config=context.params["config"],
    )


def with_file(chosen: Chosen, file: FileSettings) -> Chosen:
    """Return `chosen` with the values of another file, which flags and environment override."""
    said = {one.parameter: chosen[one] for one in SETTINGS if chosen.is_said(one)}
    filed = {
        one.parameter: one.kind.value(file.said[one.parameter].texts)
        for one in SETTINGS
        if one.parameter in file.said
    }
    return replace(chosen, values={**filed, **said})


def _said(setting: Setting[Any], file: FileSettings) -> Said | None:
    """Return the file's value of a setting; ignore `organization` if organizations are listed."""
    is_ignored = setting is ORGANIZATION and file.organizations
    return None if is_ignored else file.said.get(setting.parameter)


def _origin(context: typer.Context, setting: Setting[Any], file: FileSettings) -> str:
    source = context.get_parameter_source(setting.parameter)
    match source.name if source else "":
        case "COMMANDLINE":
            return setting.flag
        case "ENVIRONMENT":
            return setting.variable
        case "DEFAULT_MAP":
            said = _said(setting, file)
            return said.at if said else file.organizations[0].at
        case _:
            return "default"


def _value(setting: Setting[Any], given: Any, origin: str) -> Any:  # noqa: ANN401 - of any setting
    texts = [str(one) for one in (given if setting.kind.is_many else [given])]
    try:
        return setting.kind.value(texts)
    except ValueError as error:
        raise refused(origin, error) from None


def switched(setting: Setting[bool], given: bool | str) -> bool:
    """Return the value of a switch; raise UsageError for a variable that is not a boolean."""
    is_on: bool = _value(setting, given, setting.variable)
    return is_on


def skipped(given: Sequence[str] | None) -> tuple[Collection, ...]:
    """Return the collections to skip; raise UsageError for an unknown name."""
    collections: tuple[Collection, ...] = _value(SKIP, given or [], SKIP.flag)
    return collections


def refused(what: str, error: ValueError) -> UsageError:
    """Return the UsageError for a value that its setting rejected; `what` is its source."""
    message = f"{what} {error}"
    advice = error.advice if isinstance(error, UnfitError) else ""
    return UsageError(message if message.endswith("?") else f"{message}.", help=advice or None)
