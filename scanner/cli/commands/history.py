"""`keyvigil history`: the recorded scans."""

from typing import Annotated, Literal

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import JsonOption, taking
from scanner.settings_table import KEEP, KEEP_SNAPSHOTS, ORGANIZATION, STORE

app = group("")


@app.command(cls=Command)
@taking(STORE, KEEP, KEEP_SNAPSHOTS, ORGANIZATION)
def history(
    context: typer.Context,
    action: Annotated[
        Literal["prune", "unlock"] | None,
        typer.Argument(
            metavar="prune|unlock",
            show_default=False,
            help="prune: delete now what `keep` and `keep_snapshots` do not keep. unlock: release"
            " the locks of dead scans.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="NUMBER", help="Number of scans.")
    ] = 30,
    as_json: JsonOption = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Unlock without confirmation.")] = False,
    only_clocks: Annotated[
        bool, typer.Option("--clocks", hidden=True, help="Print problems of the clocks as JSON.")
    ] = False,
) -> None:
    """List the recorded scans, oldest first, with the trend."""
    from scanner.cli.choosing import chosen
    from scanner.cli.history import clocks, history, prune, unlock

    settings = chosen(context)
    if only_clocks:
        clocks(settings)
    elif action is None:
        history(settings, limit, as_json=as_json)
    elif action == "prune":
        prune(settings)
    else:
        unlock(settings, is_sure=is_sure)
