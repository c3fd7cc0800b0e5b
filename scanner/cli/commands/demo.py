"""`keyvigil demo`: a fictional organization, scanned over HTTP without credentials."""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group

app = group("")


@app.command(cls=Command)
def demo(
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder for the reports.")
    ] = Path("out/demo"),
    enforce: Annotated[
        bool, typer.Option("--enforce", help="Revoke due keys in the last scan.")
    ] = False,
) -> None:
    """Scan a fictional organization on fourteen simulated days and write its report.

    Needs no key; no data leaves this machine.
    """
    from scanner.cli.demo import demo

    demo(folder, enforces=enforce)
