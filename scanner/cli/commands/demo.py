"""`keyvigil demo`: a made-up organization, scanned over real HTTP, without any credentials."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group

app = group("")


@app.command(cls=Command)
def demo(
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where to write the reports.")
    ] = Path("out/demo"),
    enforce: Annotated[
        bool, typer.Option("--enforce", help="Revoke on the last night what is due by then.")
    ] = False,
) -> None:
    """Scan a made-up organization on fourteen simulated nights and write its report.

    Needs no key; nothing leaves this machine.
    """
    from scanner.cli.demo import demo

    demo(folder, enforces=enforce)
