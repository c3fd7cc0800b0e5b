"""What is said where a command fails, and the exit code that it means."""

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
"""The commands that write messages for machines, if asked."""
_ELSEWHERE: Final = {
    "--format": "--output FORMAT=PATH, such as --output json=-",
    "--json": "--output json=-",
    "--output-format": "--output FORMAT=PATH, such as --output json=-",
    "--severity": "--fail-on SEVERITY",
}
"""Options of other tools -> ours."""
_NOT_TONIGHT: Final = ("--from", "--dry-run")
"""With these a scan is none of tonight, and nobody watches over it."""


def tell_failure(error: Exception) -> int:
    """Say what went wrong; never a traceback, but where one is asked for."""
    match error:
        case KeyVigilError():
            return show_error(error)
        case typer.TyperException():
            return _tell_mistake(error)
        case OSError():
            show_error(OutputError(f"The system refused: {error.strerror or error}."))
            close_quietly(
                sys.stdout
            )  # else Python tries once more on its way out, and ends with 120
            return ExitCode.INCOMPLETE
        case _:
            return _tell_bug(error)


def _tell_mistake(error: typer.TyperException) -> int:
    """Say what is wrong with the words that were typed; without any, show the help."""
    context = getattr(error, "ctx", None)
    path: str = context.command_path if context else "keyvigil"
    _suggest_public_options(error, context)
    message = error.format_message().replace("Value error, ", "")  # which pydantic puts before
    if message.startswith("Usage: "):
        typer.echo(message, err=True)
        return ExitCode.USAGE
    words = sys.argv[1:]
    if words and words[0] in _LOGGING and _asks_for_lines(words):
        err.is_log = True  # a word that is no option is met before any is read
    mistake = UsageError(message, help=_hint(error) or f"{path} --help")
    return _tell_of_scan(mistake) if words and words[0] == "scan" else show_error(mistake)


def _suggest_public_options(error: typer.TyperException, context: typer.Context | None) -> None:
    """Remove hidden options from the suggestions, and all where there is a better hint."""
    possible = getattr(error, "possibilities", None)
    if possible and context:
        parameters = [one for one in context.command.params if getattr(one, "hidden", False)]
        hidden = {option for one in parameters for option in one.opts}
        kept = [] if _hint(error) else [one for one in possible if one not in hidden]
        error.possibilities = kept  # type: ignore[attr-defined]


def _hint(error: typer.TyperException) -> str:
    """Return what to type instead of a word of an older version or of another tool, or ""."""
    option = getattr(error, "option_name", "") or ""
    if option in RENAMED:
        return f"{option} is now {RENAMED[option]}."
    if option in _ELSEWHERE:
        return f"Use {_ELSEWHERE[option]}."
    if "'show' is not one of 'prune'" in str(error):
        return "keyvigil report --from SCAN renders a scan; keyvigil diff A B compares two."
    return ""


def _tell_of_scan(mistake: UsageError) -> int:
    """Say it, and let who watches over scans know: tonight there is none."""
    try:
        is_off = any(word.partition("=")[0] in _NOT_TONIGHT for word in sys.argv)
        with sign_of_life(None, None, is_off=is_off):
            raise mistake
    except typer.Exit as ended:
        return ended.exit_code
    except UsageError:
        return show_error(mistake)


def _asks_for_lines(words: list[str]) -> bool:
    """Whether a command line, or else the environment, asks for machines' messages."""
    pairs: list[tuple[str, ...]]
    pairs = [*pairwise(words), *(tuple(word.split("=", 1)) for word in words if "=" in word)]
    asked = [pair[1] for pair in pairs if pair[0] == "--log-format"]
    return (asked or [os.environ.get(LOG_FORMAT, "")])[-1] == LogFormat.JSON


def _tell_bug(error: Exception) -> int:
    failure = _innermost(error)
    is_debugged = bool(os.environ.get("KEYVIGIL_DEBUG"))
    mend = "This is a bug. KEYVIGIL_DEBUG=1 shows where; please report it."
    said = f"KeyVigil itself failed: {type(failure).__name__}: {failure}"
    code = show_error(KeyVigilError(said, help=None if is_debugged else mend))
    if is_debugged:
        for line in traceback.format_exception(error):
            for part in line.splitlines():
                say(part)
    return code


def _innermost(error: Exception) -> Exception:
    """Return what really failed inside tasks that ran together."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
