"""`keyvigil alerts`: trying who is told, and seeing what they are told."""

from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import (
    ConfigOption,
    OrganizationOption,
    PoliciesOption,
    RedactOption,
    ScanOption,
    StoreOption,
)
from scanner.settings_table import REDACT

app = group("Who is told of what: try it, see it.")

_Routes = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only this route; may be given again. Default: all."),
]


@app.command(cls=Command)
def preview(
    from_: ScanOption = "latest",
    route: _Routes = None,
    config: ConfigOption = None,
    policy: PoliciesOption = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    redact_emails: RedactOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what is sent: Block Kit, or the webhook's body.")
    ] = False,
) -> None:
    """Print the alerts of a recorded scan for each route, and send nothing."""
    from scanner.cli.alerts import preview
    from scanner.cli.choosing import switched
    from scanner.cli.report import Wanted

    wanted = Wanted(
        name=from_, policies=policy, store=store, organization=organization, config=config
    )
    preview(wanted, route, as_json=as_json, masks=switched(REDACT, redact_emails))


@app.command("test", cls=Command)
def try_(route: _Routes = None, config: ConfigOption = None) -> None:
    """Send a message that says it is a test to each route, and tell what is missing.

    Exits 4 if one of them did not get it.
    """
    from scanner.cli.alerts import try_

    try_(route, config)
