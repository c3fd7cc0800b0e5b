"""`keyvigil doctor`: check everything that a scan needs, and print how to fix problems."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from scanner.checkup import Check, State, unchecked
from scanner.cli import examining as look
from scanner.cli.console import ExitCode, counted, inert, out
from scanner.cli.examining_alerts import file_and_what_rests_on_it, pings
from scanner.cli.examining_settings import WRONG_FILE, Read, jobs, options, read_each
from scanner.cli.job import Job
from scanner.display import visible
from scanner.secret import redact
from scanner.settings import misspelt, store_settings
from scanner.settings_table import POLICIES, STORE

_STYLES: Final = {State.OK: "green", State.PROBLEM: "bold red", State.NOT_CHECKED: "dim"}
_STATE_WIDTH: Final = max(map(len, State))
_NAME_WIDTH: Final = 16


def doctor(
    context: typer.Context,
    given: Mapping[str, Any],
    config: Path | None,
    only: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Print the result of each check; raise typer.Exit. `given`: command line settings."""
    flags = {name: value for name, value in given.items() if _is_flag(context, name)}
    checks = tuple(_checks(flags, config, only))
    if as_json:
        typer.echo(json.dumps(_document(checks), indent=2))
    else:
        for check in checks:
            _print(check)
        problems = sum(check.state is State.PROBLEM for check in checks)
        count = "no problems" if not problems else counted(problems, "problem")
        out.print(f"{counted(len(checks), 'check')}, {count}.")
    raise typer.Exit(_code(checks))


def _is_flag(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _checks(flags: Mapping[str, Any], config: Path | None, only: Sequence[str]) -> Iterator[Check]:
    """Yield all checks; no problem prevents the others."""
    wrong = {name for name, _ in misspelt(os.environ)}
    environment = {name: value for name, value in os.environ.items() if name not in wrong}
    yield from look.versions()
    yield from look.names(os.environ)
    read = read_each(flags, environment, config)
    yield from options(read, environment)
    every, of_choice = jobs(read, only)
    yield from of_choice
    for job in every:
        yield from _named(job, every, _of_api(job, read, environment))
    yield from read.wrong_of("connection")
    yield from look.changing()
    of_history = tuple(read.wrong_of("history"))
    if not read.knows(STORE):
        of_history = (*of_history, unchecked("history", WRONG_FILE))
    yield from of_history or look.attempted(
        "history", lambda: look.history(store_settings(read.chosen, environment))
    )
    for job in every:
        yield from _named(job, every, look.outputs(job))
    yield from look.combined(read.chosen)
    yield from read.wrong_of("metrics")
    yield from look.attempted("pings", lambda: pings(environment))
    yield from file_and_what_rests_on_it(environment, config)


def _of_api(job: Job, read: Read, environment: Mapping[str, str]) -> Iterator[Check]:
    """Check one organization's policies, its admin key, and the API's responses to it."""
    of_policies, policies = look.policies(job.chosen[POLICIES])
    yield of_policies
    of_key, settings = look.key(job, environment, has_way=read.has_way)
    yield from of_key
    plan = look.plan_of(policies, job.chosen)
    yield from look.attempted("connection", lambda: look.api(settings, plan, job.name))


def _named(job: Job, every: Sequence[Job], checks: Iterable[Check]) -> Iterator[Check]:
    """Prefix each check with the organization's name if there are several."""
    for check in checks:
        yield replace(check, name=f"{job.name}: {check.name}") if len(every) > 1 else check


def _print(check: Check) -> None:
    """Print a check, with its help on the next line; on a terminal, long lines are indented."""
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
                "message": _inert(check.said),
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
