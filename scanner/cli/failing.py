"""The error message of a failed command, and its exit code."""

import os
import sys
import traceback
from itertools import pairwise
from typing import Final

import typer

from scanner.cli.console import ExitCode, close_quietly, err, say, show_error
from scanner.cli.log_format import LOG_FORMAT, LogFormat
from scanner.cli.sign_of_life import sign_of_life
from scanner.errors import KeyVigilError, OutputError, UsageError
from scanner.spelling import RENAMED

_LOGGING: Final = ("scan", "serve")
"""The commands that have --log-format."""
_ELSEWHERE: Final = {
    "--format": "--output FORMAT=PATH, such as --output json=-",
    "--json": "--output json=-",
    "--output-format": "--output FORMAT=PATH, such as --output json=-",
    "--severity": "--fail-on SEVERITY",
}
"""Options of other tools -> the options of keyvigil."""
_NOT_TONIGHT: Final = ("--from", "--dry-run")
"""Options of a scan that writes no metrics and sends no pings."""


def tell_failure(error: Exception) -> int:
    """Print the error and return its exit code; a traceback only with KEYVIGIL_DEBUG."""
    match error:
        case KeyVigilError():
            return show_error(error)
        case typer.TyperException():
            return _tell_mistake(error)
        case OSError():
            show_error(OutputError(f"Operating system error: {error.strerror or error}."))
            close_quietly(sys.stdout)  # else Python flushes again at exit, and exits with 120
            return ExitCode.INCOMPLETE
        case _:
            return _tell_bug(error)


def _tell_mistake(error: typer.TyperException) -> int:
    """Print an error in the command line; print the help if there are no arguments."""
    context = getattr(error, "ctx", None)
    path: str = context.command_path if context else "keyvigil"
    _suggest_public_options(error, context)
    message = error.format_message().replace("Value error, ", "")  # pydantic's prefix
    if message.startswith("Usage: "):
        typer.echo(message, err=True)
        return ExitCode.USAGE
    words = sys.argv[1:]
    if words and words[0] in _LOGGING and _asks_for_lines(words):
        err.is_log = True  # --log-format may not have been parsed yet
    mistake = UsageError(message, help=_hint(error) or f"{path} --help")
    return _tell_of_scan(mistake) if words and words[0] == "scan" else show_error(mistake)


def _suggest_public_options(error: typer.TyperException, context: typer.Context | None) -> None:
    """Remove hidden options from the suggestions, and all of them if there is a better hint."""
    possible = getattr(error, "possibilities", None)
    if possible and context:
        parameters = [one for one in context.command.params if getattr(one, "hidden", False)]
        hidden = {option for one in parameters for option in one.opts}
        kept = [] if _hint(error) else [one for one in possible if one not in hidden]
        error.possibilities = kept  # type: ignore[attr-defined]


def _hint(error: typer.TyperException) -> str:
    """Return the replacement of an option of an older version or of another tool, or ""."""
    option = getattr(error, "option_name", "") or ""
    if option in RENAMED:
        return f"Use {RENAMED[option]}, the new name of {option}."
    if option in _ELSEWHERE:
        return f"Use {_ELSEWHERE[option]}."
    if "'show' is not one of 'prune'" in str(error):
        return (
            "Use keyvigil report --from SCAN to render a scan, or keyvigil diff A B to compare two."
        )
    return ""


def _tell_of_scan(mistake: UsageError) -> int:
    """Print the error of a scan that did not start; send the failure ping and write the metrics."""
    try:
        is_off = any(word.partition("=")[0] in _NOT_TONIGHT for word in sys.argv)
        with sign_of_life(None, None, is_off=is_off):
            raise mistake
    except typer.Exit as ended:
        return ended.exit_code
    except UsageError:
        return show_error(mistake)


def _asks_for_lines(words: list[str]) -> bool:
    """Whether the command line, or else the environment, selects --log-format json."""
    pairs: list[tuple[str, ...]]
    pairs = [*pairwise(words), *(tuple(word.split("=", 1)) for word in words if "=" in word)]
    asked = [pair[1] for pair in pairs if pair[0] == "--log-format"]
    return (asked or [os.environ.get(LOG_FORMAT, "")])[-1] == LogFormat.JSON


def _tell_bug(error: Exception) -> int:
    failure = _innermost(error)
    is_debugged = bool(os.environ.get("KEYVIGIL_DEBUG"))
    mend = "This is a bug: report it with the traceback that KEYVIGIL_DEBUG=1 prints."
    said = f"KeyVigil itself failed: {type(failure).__name__}: {failure}"
    code = show_error(KeyVigilError(said, help=None if is_debugged else mend))
    if is_debugged:
        for line in traceback.format_exception(error):
            for part in line.splitlines():
                say(part)
    return code


def _innermost(error: Exception) -> Exception:
    """Return the first exception inside nested exception groups."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
