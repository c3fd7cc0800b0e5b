"""The options that are settings, generated from their declarations.

With `ConfigOption` the defaults of a command come from keyvigil.yaml. So a flag overrides the
environment, which overrides the file, and typer knows the source of each value.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from scanner.cli.log_format import LOG_FORMAT, LogFormat
from scanner.setting import Setting
from scanner.settings_table import (
    COLLECT,
    COMBINED,
    CONNECTION,
    DEADLINE,
    FAIL_ON,
    HISTORY,
    METRICS,
    ORGANIZATION,
    OUTPUTS,
    PARALLEL,
    POLICIES,
    REDACT,
    SKIP,
    SNAPSHOT,
    STORE,
)

TAKES: Final = "keyvigil_settings"
"""The attribute with the settings of a command; other options get no default from the file."""
_PANELS: Final = {
    "Input": (COLLECT, SKIP, DEADLINE, PARALLEL),
    "Policy": (POLICIES, FAIL_ON),
    "Reports": (OUTPUTS, COMBINED, REDACT, SNAPSHOT, METRICS),
    "History": (*HISTORY, ORGANIZATION),
    "Connection": CONNECTION[:-1],
}


def option(setting: Setting[Any], *, also: str = "") -> Any:  # noqa: ANN401 - as typer.Option
    """Return the option of a setting; `also` replaces its help text."""
    flag = setting.flag
    again = " Can be repeated." if setting.kind.is_many else ""
    return typer.Option(
        f"{flag}/--no-{flag[2:]}" if setting.kind.is_switch else flag,
        envvar=setting.variable,
        metavar=setting.kind.word or None,
        parser=_as_given if setting.kind.is_switch else None,
        help=also or f"{setting.help}{again} Default: {setting.otherwise}.",
        show_default=False,
        rich_help_panel=next(name for name, some in _PANELS.items() if setting in some),
    )


def _as_given(given: bool | str) -> bool | str:
    """Return a switch unparsed: `chosen` rejects wrong values, as of all settings."""
    return given


def _load(context: typer.Context, named: Path | None) -> Path | None:
    from scanner.cli.choosing import load  # noqa: PLC0415 - not needed for --help

    return load(context, named)


def _choose(chosen: LogFormat) -> LogFormat:
    from scanner.cli.console import err  # noqa: PLC0415 - not needed for --help

    err.is_log = chosen is LogFormat.JSON
    return chosen


def _silence(is_wanted: bool) -> None:
    if is_wanted:
        from scanner.cli.console import err  # noqa: PLC0415 - not needed for --help

        err.is_terse = True


QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        is_eager=True,
        callback=_silence,
        help="Print only errors and warnings, and the reports on stdout.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="KEYVIGIL_CONFIG",
        metavar="FILE",
        is_eager=True,
        callback=_load,
        help="Settings file. Default: keyvigil.yaml in this folder, if it exists.",
    ),
]
StoreOption = Annotated[str | None, option(STORE)]
OrganizationOption = Annotated[str | None, option(ORGANIZATION)]
RedactOption = Annotated[bool, option(REDACT)]
PoliciesOption = Annotated[
    list[str] | None,
    option(
        POLICIES,
        also="Policies of the scan. Required if one of them is a file.",
    ),
]
SkipOption = Annotated[list[str] | None, option(SKIP)]
ScanOption = Annotated[
    str,
    typer.Option("--from", metavar="SCAN", help="Scan: id, start of an id, latest or previous."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        envvar=LOG_FORMAT,
        is_eager=True,
        callback=_choose,
        help="Format of messages on stderr. json: one object a line, for log pipelines.",
    ),
]


def taking(*settings: Setting[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an option for each setting, and --config, to a command; `chosen` returns their values.

    The command itself receives only its own parameters.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        config = _parameter("config", None, ConfigOption)
        more = [_parameter_of(setting) for setting in settings]

        @wraps(command)
        def only_its_own(**given: Any) -> None:  # noqa: ANN401 - typer's arguments
            command(**{name: given[name] for name in own.parameters})

        parameters = [*own.parameters.values(), *more, config]
        setattr(only_its_own, TAKES, settings)
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
