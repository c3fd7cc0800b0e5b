"""`keyvigil revoke`: plan, apply and undo revocations."""

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

app = group("Plan, apply and undo revocations.")


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
    """Print which keys of a recorded scan are due, waiting or skipped, with the reasons.

    Needs no network, records no scan and changes no key. Exits 3 if the scan is incomplete.
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
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="File that revoke plan wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Revoke without confirmation.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read each key again, and only print the changes."),
    ] = False,
) -> None:
    """Scan again, then revoke the keys of a plan that are still due.

    Exits 5 if a due key was not revoked, 3 if the scan is incomplete.
    """
    from scanner.cli.revoke_apply import apply

    apply(context, file, is_sure=yes, is_dry=dry_run)


@app.command(cls=Command)
@taking(ORGANIZATION, *HISTORY, *CONNECTION)
def undo(
    context: typer.Context,
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT", help="Receipt from revoke journal.")],
) -> None:
    """Undo a revocation: restore the expiry or the permissions of a key.

    A deleted key cannot be restored. This works in every mode.
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
            help="Check that no entry was changed, removed or inserted; print the last hash."
            " Entries removed from the end can be detected only with an earlier number and hash.",
        ),
    ] = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every entry with its hash, as JSON lines.")
    ] = False,
    _config: ConfigOption = None,
) -> None:
    """List the actions on keys, oldest first: method, time, reason, actor and result.

    `verify` exits 3 if the journal was changed.
    """
    from scanner.cli.revoke_journal import journal, verify

    if action is None:
        journal(store, organization, as_json=as_json)
    else:
        verify(store, organization)
