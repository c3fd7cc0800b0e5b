"""`keyvigil policies`: list, print, explain and check policies."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group

app = group("List, show, explain, validate, test and compare policies.")

_NameOrFile = Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)]
_NamesOrFiles = Annotated[list[str], typer.Argument(metavar="NAME|FILE", show_default=False)]


@app.command("list", cls=Command)
def list_() -> None:
    """List the shipped policies."""
    from scanner.cli.policies import list_

    list_()


@app.command(cls=Command)
def show(policy: _NameOrFile) -> None:
    """Check a policy and print its text."""
    from scanner.cli.policies import show

    show(policy)


@app.command(cls=Command)
def explain(
    word: Annotated[
        str | None, typer.Argument(metavar="FACT|OPERATOR|RULE", show_default=False)
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE", help="Policy with the rule. Default: all shipped."),
    ] = None,
) -> None:
    """Explain a fact, an operator or a rule; without an argument, list them."""
    from scanner.cli.policies import explain

    explain(word, policy)


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of policies, for completion and checks in editors."""
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
    """Check policies and run the examples of each rule; report all errors of all files."""
    from scanner.cli.policies import check

    check(policies, skips_others=skip_others)


@app.command(cls=Command)
def validate(
    policies: _NamesOrFiles,
    against: Annotated[
        Path | None,
        typer.Option(metavar="SNAPSHOT", help="Also count their findings in a snapshot."),
    ] = None,
) -> None:
    """Check policies; report every error with its line, or list their rules.

    Needs no credentials and no network.
    """
    from scanner.cli.policies import validate

    validate(policies, against)


@app.command(cls=Command)
def diff(
    before: _NameOrFile,
    after: _NameOrFile,
    on: Annotated[
        Path, typer.Option(metavar="SNAPSHOT", help="Written by keyvigil scan --snapshot.")
    ],
) -> None:
    """Print how the findings of two policies differ on a snapshot."""
    from scanner.cli.policies import diff

    diff(before, after, on)
