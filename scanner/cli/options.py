"""The options that are settings: made from their declaration, the file read before them.

A command that takes `ConfigOption` has keyvigil.yaml as what its options are by default: so a flag
beats the environment, which beats the file, and typer itself says which it was.
"""

import inspect
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from scanner.errors import KeyVigilError, UsageError
from scanner.kinds import UnfitError
from scanner.setting import Chosen, Setting
from scanner.settings import refuse_misspelt
from scanner.settings_file import FileSettings, find_settings_file, read_settings_file
from scanner.settings_table import ORGANIZATION, POLICIES, REDACT, SETTINGS, STORE

_FILE: Final = "keyvigil.settings"
_MISTAKE: Final = "keyvigil.mistake"
_TAKES: Final = "keyvigil_settings"
"""Where a command says which settings it takes: the others' options are never the file's."""
_PANELS: Final = {"store": "History", "http": "Connection"}


def option(setting: Setting[Any], *, also: str = "") -> Any:  # noqa: ANN401 - as typer.Option
    """Return the option of a setting; `also` is said of it by this command."""
    flag = setting.flag
    again = " May be given again." if setting.kind.is_many else ""
    return typer.Option(
        f"{flag}/--no-{flag[2:]}" if setting.kind.is_switch else flag,
        envvar=setting.variable,
        metavar=setting.kind.word or None,
        parser=_switched(setting) if setting.kind.is_switch else None,
        help=also or f"{setting.help}{again} Default: {setting.otherwise}.",
        rich_help_panel=_PANELS.get(setting.name.partition(".")[0]),
    )


def _switched(setting: Setting[bool]) -> Callable[[bool | str], bool]:
    """Return what reads a switch; only a variable can say it wrongly."""

    def read(given: bool | str) -> bool:
        try:
            return setting.kind.value([str(given)])
        except ValueError as error:
            raise refused(setting.variable, error) from None

    return read


def _load(context: typer.Context, named: Path | None) -> Path | None:
    """Read the file, and let it say what the command's options are by default.

    Raise SettingsError, or UsageError also for a misspelt name of ours in the environment; where
    the command asks what was `chosen`, that raises it.
    """
    path = find_settings_file(os.environ, named)
    file = FileSettings()
    takes = getattr(context.command.callback, _TAKES, None)
    try:
        refuse_misspelt(os.environ)
        file = read_settings_file(path) if path else file
    except KeyVigilError as error:
        if takes is None:
            raise
        context.meta[_MISTAKE] = error
    context.meta[_FILE] = file
    takes = takes or (STORE, ORGANIZATION, REDACT)
    by_variable = {setting.variable: setting for setting in takes}
    context.default_map = {}
    for parameter in context.command.params:
        setting = by_variable.get(str(getattr(parameter, "envvar", "")))
        said = setting and file.said.get(setting.parameter)
        if setting and said and parameter.name:
            value = list(said.texts) if setting.kind.is_many else said.text
            context.default_map[parameter.name] = value
        if setting is ORGANIZATION and len(file.organizations) == 1:
            context.default_map[parameter.name] = file.organizations[0].name
    return path


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="KEYVIGIL_CONFIG",
        metavar="FILE",
        is_eager=True,
        callback=_load,
        help="The settings. Default: keyvigil.yaml in this folder, if any.",
    ),
]
StoreOption = Annotated[str | None, option(STORE)]
OrganizationOption = Annotated[str | None, option(ORGANIZATION)]
RedactOption = Annotated[bool, option(REDACT)]
PoliciesOption = Annotated[
    list[str] | None,
    option(
        POLICIES,
        also="The policies that the scan was judged by; needed if one of them is a file.",
    ),
]


def taking(*settings: Setting[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each setting, and --config; `chosen` says what they are.

    The command itself sees its own parameters only.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        config = _parameter("config", None, ConfigOption)
        more = [_parameter_of(setting) for setting in settings]

        @wraps(command)
        def only_its_own(**given: Any) -> None:  # noqa: ANN401 - what typer gives
            command(**{name: given[name] for name in own.parameters})

        parameters = [*own.parameters.values(), *more, config]
        setattr(only_its_own, _TAKES, settings)
        only_its_own.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return only_its_own

    return decorate


def _parameter_of(setting: Setting[Any]) -> inspect.Parameter:
    if setting.kind.is_switch:
        return _parameter(setting.parameter, False, Annotated[bool, option(setting)])
    kind = list[str] if setting.kind.is_many else str
    return _parameter(setting.parameter, None, Annotated[kind | None, option(setting)])


def _parameter(name: str, default: object, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def file_settings(context: typer.Context) -> FileSettings:
    """Return what the settings file of this command says; raise what is wrong with it."""
    mistake: KeyVigilError | None = context.meta.get(_MISTAKE)
    if mistake is not None:
        raise mistake
    file: FileSettings = context.meta[_FILE]
    return file


def chosen(context: typer.Context) -> Chosen:
    """Return what each setting that the command takes is; raise UsageError for what none can be."""
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


def _origin(context: typer.Context, setting: Setting[Any], file: FileSettings) -> str:
    source = context.get_parameter_source(setting.parameter)
    match source.name if source else "":
        case "COMMANDLINE":
            return setting.flag
        case "ENVIRONMENT":
            return setting.variable
        case "DEFAULT_MAP":
            said = file.said.get(setting.parameter)
            return said.at if said else file.organizations[0].at
        case _:
            return "default"


def _value(setting: Setting[Any], given: Any, origin: str) -> Any:  # noqa: ANN401 - of any setting
    texts = [str(one) for one in (given if setting.kind.is_many else [given])]
    try:
        return setting.kind.value(texts)
    except ValueError as error:
        raise refused(origin, error) from None


def refused(what: str, error: ValueError) -> UsageError:
    """Return the error for `what` was said, as a kind of settings refused it."""
    message = f"{what} {error}"
    advice = error.advice if isinstance(error, UnfitError) else ""
    return UsageError(message if message.endswith("?") else f"{message}.", help=advice or None)
