"""`keyvigil config`: show and validate the settings."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import taking
from scanner.settings_table import SETTINGS

app = group("Show and validate the settings.")


@app.command(cls=Command)
@taking(*SETTINGS)
def show(
    context: typer.Context,
    origin: Annotated[
        bool, typer.Option("--origin", help="Print the source too: flag, variable or file.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the origins.")] = False,
) -> None:
    """Print the value of each setting: from flag, environment, file or default, in this order.

    Takes every option that is a setting. For a secret it prints whether it is set.
    """
    from scanner.cli.config import show

    show(context, tells_origin=origin, as_json=as_json)


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of keyvigil.yaml, for completion and checks in editors."""
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
            help="Settings file, as FILE. Default: keyvigil.yaml in this folder.",
        ),
    ] = None,
) -> None:
    """Check the settings file and its policies; report every error with its line.

    Needs no credentials and no network.
    """
    from scanner.cli.config import validate

    validate(file or config)
