"""`keyvigil policies`: what ships, what a policy says, whether a file is right."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group

app = group("The policies that ship, and your own.")

_NameOrFile = Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)]
_NamesOrFiles = Annotated[list[str], typer.Argument(metavar="NAME|FILE...", show_default=False)]


@app.command("list", cls=Command)
def list_() -> None:
    """List the policies that ship with KeyVigil."""
    from scanner.cli.policies import list_

    list_()


@app.command(cls=Command)
def show(policy: _NameOrFile) -> None:
    """Print a policy as it is written, after checking it."""
    from scanner.cli.policies import show

    show(policy)


@app.command(cls=Command)
def explain(
    word: Annotated[
        str | None, typer.Argument(metavar="FACT|OPERATOR|RULE", show_default=False)
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE", help="Where a rule stands. Default: what ships."),
    ] = None,
) -> None:
    """Say what a fact, an operator or a rule means; without a word, what there is."""
    from scanner.cli.policies import explain

    explain(word, policy)


@app.command(cls=Command)
def schema() -> None:
    """Print the language's JSON Schema, with which editors complete and check policies."""
    from scanner.cli.policies import schema

    schema()


@app.command("test", cls=Command)
def check(
    policies: _NamesOrFiles,
    skip_others: Annotated[
        bool,
        typer.Option("--skip-others", help="Skip files that are not policies of KeyVigil."),
    ] = False,
) -> None:
    """Check policies and try the examples of each rule; report all mistakes of all files."""
    from scanner.cli.policies import check

    check(policies, skips_others=skip_others)


@app.command(cls=Command)
def validate(
    policies: _NamesOrFiles,
    against: Annotated[
        Path | None,
        typer.Option(metavar="SNAPSHOT", help="Tell what they find in a snapshot, too."),
    ] = None,
) -> None:
    """Check policies without credentials or network: every mistake at its line, or their rules."""
    from scanner.cli.policies import validate

    validate(policies, against)


@app.command(cls=Command)
def diff(
    before: _NameOrFile,
    after: _NameOrFile,
    on: Annotated[Path, typer.Option(metavar="SNAPSHOT", help="From keyvigil scan --snapshot.")],
) -> None:
    """Tell what a scan would find otherwise by the second policy than by the first."""
    from scanner.cli.policies import diff

    diff(before, after, on)
