"""The command `keyvigil`: its subcommands, and the last line of defence against tracebacks."""

import io
import os
import sys
import traceback
from importlib.metadata import version
from itertools import pairwise
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from scanner.cli import alerts, config, history, policies, revoke, sandbox
from scanner.cli.console import ExitCode, close_quietly, err, out, say, show_error
from scanner.cli.demo import demo
from scanner.cli.doctor import doctor
from scanner.cli.init import init
from scanner.cli.log_format import LOG_FORMAT, LogFormat
from scanner.cli.report import report
from scanner.cli.scan import EXIT_CODES, scan
from scanner.cli.serve import serve
from scanner.errors import KeyVigilError, OutputError, UsageError
from scanner.garbage import look_for_garbage_less_often

_LOGGING: Final = ("scan", "serve")
"""The commands that write messages for machines, if asked."""


class _Commands(TyperGroup):
    """The commands; a mistake on a line that asks for machines' messages is told as one."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            if ctx.invoked_subcommand in _LOGGING and _asks_for_lines(sys.argv):
                err.is_log = True  # a word that is no option is met before any is read
            if not err.is_log:
                raise
            raise UsageError(
                error.format_message(), help=f"keyvigil {ctx.invoked_subcommand} --help"
            ) from None


def _asks_for_lines(words: list[str]) -> bool:
    """Whether a command line, or else the environment, asks for machines' messages."""
    pairs: list[tuple[str, ...]]
    pairs = [*pairwise(words), *(tuple(word.split("=", 1)) for word in words if "=" in word)]
    asked = [pair[1] for pair in pairs if pair[0] == "--log-format"]
    return (asked or [os.environ.get(LOG_FORMAT, "")])[-1] == LogFormat.JSON


app = typer.Typer(
    name="keyvigil",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Key hygiene for OpenAI organizations: lists every API key, judges it, reports.",
)
app.command(epilog=EXIT_CODES)(scan)
app.command()(serve)
app.command()(report)
app.command()(demo)
app.command()(doctor)
app.command()(init)
app.add_typer(alerts.app, name="alerts")
app.add_typer(config.app, name="config")
app.add_typer(history.app, name="history")
app.command()(history.diff)
app.add_typer(policies.app, name="policies")
app.add_typer(revoke.app, name="revoke")
app.add_typer(sandbox.app, name="sandbox")


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"keyvigil {version('keyvigil')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    look_for_garbage_less_often()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # LANG=C and the like
    try:
        app()
    except KeyVigilError as error:
        sys.exit(show_error(error))
    except OSError as error:
        show_error(OutputError(f"The system refused: {error.strerror or error}."))
        close_quietly()  # else Python tries once more on its way out, and ends with 120
        sys.exit(ExitCode.INCOMPLETE)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug, said plainly
        if _was_interrupted(error):
            raise KeyboardInterrupt from None
        failure = _innermost(error)
        is_debugged = bool(os.environ.get("KEYVIGIL_DEBUG"))
        mend = "This is a bug. KEYVIGIL_DEBUG=1 shows where; please report it."
        said = f"KeyVigil itself failed: {type(failure).__name__}: {failure}"
        code = show_error(KeyVigilError(said, help=None if is_debugged else mend))
        if is_debugged:
            for line in traceback.format_exception(error):
                for part in line.splitlines():
                    say(part)
        sys.exit(code)
    sys.exit(ExitCode.DONE)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C struck first: printing that is interrupted fails in ways of its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _innermost(error: Exception) -> Exception:
    """Return what really failed inside tasks that ran together."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
