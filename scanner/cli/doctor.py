"""`keyvigil doctor`: what works, what does not, and how to mend it."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from scanner.checkup import Check, State
from scanner.cli import examining as look
from scanner.cli.console import ExitCode, err, inert, out
from scanner.cli.examining_alerts import file_and_what_rests_on_it, pings
from scanner.cli.memory import StoreOption
from scanner.cli.telling import ConfigOption
from scanner.display import visible
from scanner.secret import redact
from scanner.settings import misspelt, read_store_settings

_STYLES: Final = {State.OK: "green", State.PROBLEM: "bold red", State.NOT_CHECKED: "dim"}
_STATE_WIDTH: Final = max(map(len, State))
_NAME_WIDTH: Final = 16


_Policies = Annotated[
    list[str] | None,
    typer.Option(
        envvar="KEYVIGIL_POLICY",
        metavar="NAME|FILE",
        help="What the scan judges by; may be given again. Default: baseline.",
    ),
]
_Outputs = Annotated[
    list[str] | None,
    typer.Option(
        envvar="KEYVIGIL_OUTPUT",
        metavar="FORMAT=PATH",
        help="A report that the scan is to write; may be given again.",
    ),
]
_Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics-textfile",
        envvar="KEYVIGIL_METRICS_TEXTFILE",
        metavar="PATH",
        help="The file that the scan is to write metrics to.",
    ),
]


def doctor(
    policy: _Policies = None,
    output: _Outputs = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    metrics_textfile: _Metrics = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as JSON.")] = False,
) -> None:
    """Look at all that a scan needs, and say how to mend what does not work.

    Changes nothing and sends nothing that anybody would see: the API is asked with GET only.

    Exit codes:

    0  no problem

    2  a mistake in the environment, the settings or a policy

    3  something else does not work
    """
    checks = tuple(_checks(policy, output, config, store, metrics_textfile))
    if as_json:
        typer.echo(json.dumps(_document(checks), indent=2))
    else:
        for check in checks:
            _print(check)
    raise typer.Exit(_code(checks))


def _checks(
    policy: Sequence[str] | None,
    output: Sequence[str] | None,
    config: Path | None,
    store: str | None,
    metrics: Path | None,
) -> Iterator[Check]:
    """Look at everything, whatever is found."""
    wrong = {name for name, _ in misspelt(os.environ)}
    environment = {name: value for name, value in os.environ.items() if name not in wrong}
    yield from look.versions()
    yield from look.names(os.environ)
    of_options, chosen = look.options()
    err.is_log = False  # what the environment sets for a scan's messages is not for these lines
    yield of_options
    of_policies, read = look.policies(policy or ["baseline"])
    yield of_policies
    of_key, settings = look.key(environment)
    yield from of_key
    yield from look.attempted("connection", lambda: look.api(settings, look.plan_of(read, chosen)))
    yield from look.changing()
    yield from look.attempted(
        "history", lambda: look.history(read_store_settings(environment, store))
    )
    yield from look.outputs(output or (), metrics)
    yield from look.attempted("pings", lambda: pings(environment))
    yield from file_and_what_rests_on_it(environment, config)


def _print(check: Check) -> None:
    """Print a line, and its mend in the next one; what is too long for a terminal is indented."""
    state = Text(f"{check.state.value:<{_STATE_WIDTH}}", style=_STYLES[check.state])
    said = inert(check.said)
    mend = Text.assemble(("help: ", "bold"), inert(check.help)) if check.help else None
    if out.is_terminal:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_row(state, Text(f"{check.name:<{_NAME_WIDTH}}"), said)
        if mend:
            grid.add_row("", "", mend)
        out.print(grid)
        return
    out.print(Text.assemble(state, f"  {check.name:<{_NAME_WIDTH}}  ", said), soft_wrap=True)
    if mend:
        out.print(Text.assemble(" " * (_STATE_WIDTH + 2), mend), soft_wrap=True)


def _document(checks: Sequence[Check]) -> dict[str, object]:
    return {
        "schema": "keyvigil.doctor/1",
        "checks": [
            {
                "name": _inert(check.name),
                "state": check.state.value,
                "said": _inert(check.said),
                "help": _inert(check.help) or None,
            }
            for check in checks
        ],
    }


def _inert(text: str) -> str:
    return visible(redact(text))


def _code(checks: Sequence[Check]) -> ExitCode:
    problems = [check for check in checks if check.state is State.PROBLEM]
    if any(check.is_setting for check in problems):
        return ExitCode.USAGE
    return ExitCode.INCOMPLETE if problems else ExitCode.DONE
