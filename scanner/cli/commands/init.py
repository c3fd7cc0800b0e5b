"""`keyvigil init`: write a settings file and a policy to start with."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group

app = group("")


@app.command(cls=Command)
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write a commented keyvigil.yaml, a policy that extends the baseline, and a schema.

    The schema is for completion and checks in editors.
    """
    from scanner.cli.init import init

    init(folder, overwrites=force)
