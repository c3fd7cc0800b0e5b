"""`keyvigil config`: what the settings are, where from, and whether the file is right."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import taking
from scanner.settings_table import SETTINGS

app = group("The settings: what they are, and where from.")


@app.command(cls=Command)
@taking(*SETTINGS)
def show(
    context: typer.Context,
    origin: Annotated[
        bool, typer.Option("--origin", help="And where it comes from: flag, variable, file.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the origins.")] = False,
) -> None:
    """Print what each setting is: by flag, environment, file or default, in this order.

    Takes every option that is a setting. Of secrets it tells whether they are set.
    """
    from scanner.cli.config import show

    show(context, tells_origin=origin, as_json=as_json)


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of keyvigil.yaml, with which editors complete and check it."""
    from scanner.cli.config import schema

    schema()


@app.command(cls=Command)
def validate(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", show_default=False)] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="KEYVIGIL_CONFIG",
            metavar="FILE",
            help="The same. Default: keyvigil.yaml in this folder.",
        ),
    ] = None,
) -> None:
    """Check the settings file and the policies that it names: every mistake at its place.

    Needs no credentials and no network.
    """
    from scanner.cli.config import validate

    validate(file or config)
