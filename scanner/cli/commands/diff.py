"""`keyvigil diff`: what changed between two recorded scans."""

from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import ConfigOption, JsonOption, OrganizationOption, StoreOption

app = group("")


@app.command(cls=Command)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    after: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    store: StoreOption = None,
    organization: OrganizationOption = None,
    as_json: JsonOption = False,
    _config: ConfigOption = None,
) -> None:
    """Tell what changed between two recorded scans: ids, beginnings of ids, latest, previous."""
    from scanner.cli.history import diff

    diff(before, after, store, organization, as_json=as_json)
