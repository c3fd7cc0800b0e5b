"""`keyvigil report`: render a recorded scan again."""

from typing import Annotated

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import (
    ConfigOption,
    OrganizationOption,
    PoliciesOption,
    RedactOption,
    ScanOption,
    SkipOption,
    StoreOption,
)
from scanner.settings_table import OUTPUTS, REDACT

_Outputs = Annotated[  # KEYVIGIL_OUTPUT applies to scans only
    list[str] | None, typer.Option(metavar="FORMAT=PATH", help=OUTPUTS.help)
]

app = group("")


@app.command(cls=Command)
def report(
    from_: ScanOption = "latest",
    policy: PoliciesOption = None,
    output: _Outputs = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    skip: SkipOption = None,
    redact_emails: RedactOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the report of a recorded scan again, as it was then.

    Needs no network and is not recorded. Exits 3 if the scan was incomplete.
    """
    from scanner.cli.choosing import skipped, switched
    from scanner.cli.report import Wanted, report

    wanted = Wanted(
        name=from_,
        policies=policy,
        store=store,
        organization=organization,
        config=config,
        skip=skipped(skip),
    )
    report(wanted, output or (), masks=switched(REDACT, redact_emails))
