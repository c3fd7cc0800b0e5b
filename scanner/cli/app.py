"""The command `keyvigil`: its subcommands, and the last line of defence against tracebacks."""

import io
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn

import typer

from scanner.cli.commands.plain import Group, group
from scanner.garbage import look_for_garbage_less_often

SUMMARIES: Final[Mapping[str, str]] = {
    "scan": "Scan the organization of OPENAI_ADMIN_KEY now, or each that the settings list.",
    "serve": "Scan every night until stopped; each scan is a process of its own.",
    "report": "Render a recorded scan again, with its history as it was on that night.",
    "demo": "Scan a made-up organization on fourteen simulated nights and write its report.",
    "doctor": "Look at all that a scan needs, and say how to mend what does not work.",
    "init": "Write a commented keyvigil.yaml, a policy of your own that extends the baseline, a"
    " schema.",
    "diff": "Tell what changed between two recorded scans: ids, beginnings of ids, latest,"
    " previous.",
    "alerts": "Who is told of what: try it, see it.",
    "config": "The settings: what they are, and where from.",
    "history": "List the scans that were recorded, oldest first, and how it goes.",
    "policies": "The policies that ship, and your own.",
    "revoke": "What is to be revoked; doing it; taking it back.",
    "sandbox": "A made-up organization behind a faithful Administration API.",
}
"""Each command, as its own help begins; it is loaded when it is named."""


class _Loaded(Mapping[str, Any]):
    """The commands by name: each is the `app` of its file."""

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
        """Return what is said here of each, and load none."""
        return SUMMARIES


app = group(
    "Key hygiene for OpenAI organizations: lists every API key, judges it, reports.", cls=_Commands
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - takes its time

        typer.echo(f"keyvigil {version('keyvigil')}")
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
        sys.exit(app(prog_name="keyvigil", standalone_mode=False) or 0)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug, said plainly
        if _was_interrupted(error):
            raise KeyboardInterrupt from None
        from scanner.cli.failing import tell_failure  # noqa: PLC0415 - where nothing fails, needless

        sys.exit(tell_failure(error))


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C struck first: printing that is interrupted fails in ways of its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
