"""`keyvigil revoke`: what is to be revoked, and why or why not; doing it; taking it back."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from scanner.cli.commands.plain import Command, group
from scanner.cli.options import (
    ConfigOption,
    JsonOption,
    OrganizationOption,
    PoliciesOption,
    ScanOption,
    SkipOption,
    StoreOption,
    taking,
)
from scanner.settings_table import CONNECTION, HISTORY, ORGANIZATION, POLICIES, REDACT

app = group("What is to be revoked; doing it; taking it back.")


@app.command(cls=Command)
def plan(
    from_: ScanOption = "latest",
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the plan as JSON keyvigil.plan/1.")
    ] = None,
    config: ConfigOption = None,
    policy: PoliciesOption = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    skip: SkipOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which keys of a recorded scan are to be revoked: what `respond` in their rules asks for.

    Asks nobody, records nothing, revokes nothing. Exits 3 if the scan is incomplete.
    """
    from scanner.cli.choosing import skipped
    from scanner.cli.report import Wanted
    from scanner.cli.revoke_plan import plan

    wanted = Wanted(
        name=from_,
        policies=policy,
        store=store,
        organization=organization,
        config=config,
        is_current=True,
        skip=skipped(skip),
    )
    plan(wanted, output, as_json=as_json)


@app.command(cls=Command)
@taking(POLICIES, REDACT, ORGANIZATION, *HISTORY, *CONNECTION)
def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="What revoke plan wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first key.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at each key again, and change nothing.")
    ] = False,
) -> None:
    """Carry out a plan: what is in it and, after a fresh walk, still due.

    Exits 5 if a key that is still due was not revoked, 3 if the walk was incomplete.
    """
    from scanner.cli.revoke_apply import apply

    apply(context, file, is_sure=yes, is_dry=dry_run)


@app.command(cls=Command)
@taking(ORGANIZATION, *HISTORY, *CONNECTION)
def undo(
    context: typer.Context,
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT", help="As revoke journal has it.")],
) -> None:
    """Take a revocation back: push an expiry out again, or give a key its permissions back.

    A deleted key cannot be brought back. Works also where revocation is off.
    """
    from scanner.cli.revoke_journal import undo

    undo(context, receipt)


@app.command(cls=Command)
def journal(
    action: Annotated[
        Literal["verify"] | None,
        typer.Argument(
            metavar="verify",
            show_default=False,
            help="Check that no entry was changed, left out or put in; print the last hash. Entries"
            " cut off at the end show only if you kept the last number and hash.",
        ),
    ] = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every entry with its hash, one JSON a line.")
    ] = False,
    _config: ConfigOption = None,
) -> None:
    """List what was done to keys, oldest first: what, when, why, by whom, and how it ended.

    `verify` exits 3 if the journal was changed.
    """
    from scanner.cli.revoke_journal import journal, verify

    if action is None:
        journal(store, organization, as_json=as_json)
    else:
        verify(store, organization)
