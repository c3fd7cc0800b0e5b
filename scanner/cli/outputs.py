"""`--output FORMAT=PATH`: what reports a command writes, and where."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from scanner.cli.run import Output
from scanner.errors import UsageError
from scanner.formats.files import check_writable
from scanner.formats.registry import FORMATS
from scanner.policy.problems import did_you_mean

_STDOUT: Final = "-"

OUTPUT_HELP: Final = f"Write a report: {', '.join(FORMATS)}; PATH - is stdout. May be given again."
OutputOption = Annotated[
    list[str] | None,
    typer.Option(
        envvar="KEYVIGIL_OUTPUT",
        metavar="FORMAT=PATH",
        help=OUTPUT_HELP,
    ),
]
RedactOption = Annotated[
    bool,
    typer.Option(
        "--redact-emails",
        envvar="KEYVIGIL_REDACT_EMAILS",
        help="Mask e-mail addresses in every report, as a***@example.com; the history keeps them.",
    ),
]


def read_outputs(
    texts: list[str], snapshot: Path | None, metrics: Path | None = None
) -> tuple[Output, ...]:
    """Read every `--output`; raise UsageError for places that are no files, or one and the same."""
    outputs = tuple(_output(text) for text in texts)
    places = [path.resolve() if path else None for _, path in outputs]
    if snapshot is not None:
        check_writable(snapshot)
        places.append(snapshot.resolve())
    named = "--output and --snapshot"
    if metrics is not None:
        places.append(metrics.resolve())
        named = "--output, --snapshot and --metrics-textfile"
    if len(set(places)) < len(places):
        raise UsageError(f"Two of {named} name the same place.", help="Give each its own.")
    return outputs


def _output(text: str) -> Output:
    """Read `FORMAT=PATH`; raise UsageError for what could not be written later."""
    name, equals, place = text.partition("=")
    if not equals or not place:
        raise UsageError(
            f"--output {text} is not FORMAT=PATH.", help="For example --output html=report.html"
        )
    if name not in FORMATS:
        raise UsageError(
            f"--output {text}: there is no format '{name}'{did_you_mean(name, FORMATS)}",
            help=f"There are {', '.join(FORMATS)}.",
        )
    if place == _STDOUT:
        if sys.stdout is None:
            raise UsageError(f"--output {text}: stdout is closed.")
        return name, None
    path = Path(place).expanduser()
    check_writable(path)
    return name, path
