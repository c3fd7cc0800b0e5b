"""`keyvigil init`: a settings file and a policy to start from."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group

app = group("")


@app.command(cls=Command)
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a commented keyvigil.yaml, a policy of your own that extends the baseline, a schema.

    Editors complete and check the settings by the schema.
    """
    from scanner.cli.init import init

    init(folder, overwrites=force)
