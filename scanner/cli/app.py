"""The command `keyvigil`: its subcommands, and the handler of unexpected exceptions."""

import io
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn

import typer

from scanner.cli.commands.plain import Group, group
from scanner.garbage import look_for_garbage_less_often

SUMMARIES: Final[Mapping[str, str]] = {
    "scan": "Scan the organization of the admin key, or all organizations in keyvigil.yaml.",
    "serve": "Scan on a schedule until stopped; each scan is its own process.",
    "report": "Write the report of a recorded scan again, as it was then.",
    "demo": "Scan a fictional organization on fourteen simulated days and write its report.",
    "doctor": "Check everything that a scan needs, and print how to fix each problem.",
    "init": "Write a commented keyvigil.yaml, a policy that extends the baseline, and a schema.",
    "diff": "Print what changed between two recorded scans, by default previous and latest.",
    "explain": "Explain a fact, an operator or a rule; without an argument, list them.",
    "alerts": "Test and preview alerts.",
    "config": "Show and validate the settings.",
    "history": "List the recorded scans, oldest first, with the trend.",
    "policies": "List, show, explain, validate, test and compare policies.",
    "revoke": "Plan, apply and undo revocations.",
    "sandbox": "Serve a fictional organization over a local Administration API.",
}
"""Each command with the first sentence of its help; a command is loaded when it is used."""


class _Loaded(Mapping[str, Any]):
    """The commands by name, each the `app` of its module."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - Typer's own
        if name not in SUMMARIES:
            raise KeyError(name)
        return typer.main.get_command(import_module(f"scanner.cli.commands.{name}").app)

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


class _Commands(Group):
    """All commands."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(**given)
        self.commands: Any = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - Typer's own
        """Return their names."""
        return list(SUMMARIES)

    def summaries(self) -> Mapping[str, str]:
        """Return the summaries above without loading the commands."""
        return SUMMARIES


app = group(
    "Check every API key of your OpenAI organizations against policies, and report.",
    cls=_Commands,
    completes=True,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        typer.echo(f"keyvigil {version('keyvigil')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Define the options before the command."""


def main() -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    look_for_garbage_less_often()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # LANG=C and the like
    try:
        sys.exit(app(prog_name="keyvigil", standalone_mode=False) or 0)
    except Exception as error:  # noqa: BLE001 - a bug is reported as an error
        if _was_interrupted(error):
            raise KeyboardInterrupt from None
        from scanner.cli.failing import tell_failure  # noqa: PLC0415 - only on failure

        sys.exit(tell_failure(error))


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused the error: interrupted printing raises other exceptions."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
