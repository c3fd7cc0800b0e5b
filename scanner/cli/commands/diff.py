"""`keyvigil diff`: what changed between two recorded scans."""

from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import ConfigOption, JsonOption, OrganizationOption, StoreOption

app = group("")


@app.command(cls=Command)
def diff(
    before: Annotated[str, typer.Argument(metavar="OLD", show_default=False)] = "previous",
    after: Annotated[str, typer.Argument(metavar="NEW", show_default=False)] = "latest",
    store: StoreOption = None,
    organization: OrganizationOption = None,
    as_json: JsonOption = False,
    _config: ConfigOption = None,
) -> None:
    """Print what changed between two recorded scans, by default previous and latest.

    OLD and NEW are ids, starts of ids, latest or previous.
    """
    from scanner.cli.history import diff

    diff(before, after, store, organization, as_json=as_json)
