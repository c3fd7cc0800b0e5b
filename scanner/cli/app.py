"""The command `keyvigil`: its subcommands, and the last line of defence against tracebacks."""

import io
import os
import sys
import traceback
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from scanner.cli import alerts, history, policies, revoke, sandbox
from scanner.cli.console import ExitCode, close_quietly, out, say, show_error
from scanner.cli.demo import demo
from scanner.cli.report import report
from scanner.cli.scan import EXIT_CODES, scan
from scanner.cli.serve import serve
from scanner.errors import KeyVigilError, OutputError
from scanner.garbage import look_for_garbage_less_often

app = typer.Typer(
    name="keyvigil",
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
app.add_typer(alerts.app, name="alerts")
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
        name = type(failure).__name__
        say(f"error: KeyVigil itself failed: {name}: {failure}", style="bold red")
        if os.environ.get("KEYVIGIL_DEBUG"):
            for line in traceback.format_exception(error):
                for part in line.splitlines():
                    say(part)
        else:
            say("help: This is a bug. KEYVIGIL_DEBUG=1 shows where; please report it.")
        sys.exit(ExitCode.INCOMPLETE)
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
