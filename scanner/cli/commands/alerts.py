"""`keyvigil alerts`: test the routes of alerts, and preview them."""

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

app = group("Test and preview alerts.")

_Routes = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only this route. Can be repeated. Default: all."),
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
        bool, typer.Option("--json", help="Print the payload: Block Kit or webhook body.")
    ] = False,
) -> None:
    """Print the alerts of a recorded scan for each route, without sending them."""
    from scanner.cli.alerts import preview
    from scanner.cli.choosing import switched
    from scanner.cli.report import Wanted

    wanted = Wanted(
        name=from_, policies=policy, store=store, organization=organization, config=config
    )
    preview(wanted, route, as_json=as_json, masks=switched(REDACT, redact_emails))


@app.command("test", cls=Command)
def try_(route: _Routes = None, config: ConfigOption = None) -> None:
    """Send a test message to each route, and report what is missing.

    Exits 4 if a route did not receive it.
    """
    from scanner.cli.alerts import try_

    try_(route, config)
