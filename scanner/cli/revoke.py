"""`keyvigil revoke`: what would be revoked, and why or why not. It has no code that revokes."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from scanner.cli.console import counted, inert, out, say, tell
from scanner.cli.options import (
    ConfigOption,
    OrganizationOption,
    PoliciesOption,
    StoreOption,
)
from scanner.cli.report import Recorded, ScanOption, recorded
from scanner.formats.files import check_writable, write_whole
from scanner.formats.plan_json import render_plan
from scanner.guards import Known
from scanner.inventory import KeyKind
from scanner.remedy import make_plan_of_revocation
from scanner.revocation import Action, Held, Mode, Plan
from scanner.secret import Secret
from scanner.settings_file import read_bounds, read_settings_file

app = typer.Typer(no_args_is_help=True, help="What is to be revoked, and why or why not.")


@app.callback()
def revoke() -> None:
    """Keep `plan` a subcommand, as more will follow."""


@app.command()
def plan(
    from_: ScanOption = "latest",
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the plan as JSON keyvigil.plan/1.")
    ] = None,
    config: ConfigOption = None,
    policy: PoliciesOption = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Tell which keys of a recorded scan are to be revoked: what `respond` in their rules asks for.

    Asks nobody, records nothing, revokes nothing.
    """
    if output is not None:
        check_writable(output)
    bounds = read_bounds(os.environ, config)
    night = recorded(from_, policy, store, organization, config)
    made = make_plan_of_revocation(
        night.result, night.inventory, night.policies, bounds, _known(night, config)
    )
    document = render_plan(made)
    if output is not None:
        write_whole(output, document.encode())
        say(f"Wrote {output}")
    if as_json:
        typer.echo(document, nl=False)
    else:
        _print_plan(made)
    if bounds.mode is Mode.OFF:
        say("Revocation is off: set revocation.mode in keyvigil.yaml to plan what is to be done.")


def _known(night: Recorded, config: Path | None) -> Known:
    """Return what the history knows; without the admin key, any admin key may be the scan's own.

    Where the settings list organizations, OPENAI_ADMIN_KEY is none of theirs.
    """
    listed = read_settings_file(config).organizations if config else ()
    own = Secret("" if listed else os.environ.get("OPENAI_ADMIN_KEY", ""))
    admin = (key for key in night.inventory.keys if key.kind is not KeyKind.PROJECT)
    return Known(
        announced=night.store.outbox.announced(night.result.organization or ""),
        own_keys=frozenset(
            key.id for key in admin if not own.reveal() or own.may_be(key.redacted_value)
        ),
    )


def _print_plan(made: Plan) -> None:
    if not (made.due or made.waiting or made.held):
        out.print("No rule of the policy asks for a revocation of anything that was found.")
        return
    if made.refusal:
        tell(out, Text.assemble(("Nothing is due: ", "bold red"), inert(f"{made.refusal}.")))
    _print_actions("Due", made.due)
    _print_actions("Waiting", made.waiting)
    if made.held:
        out.print(Text(f"Let be: {counted(len(made.held), 'key')}", style="bold"))
        for held in made.held:
            tell(out, inert(f"  {_line(held)}"))
            for reason in held.reasons:
                tell(out, inert(f"    {reason}", "dim"))


def _print_actions(heading: str, actions: Iterable[Action]) -> None:
    listed = tuple(actions)
    if not listed:
        return
    out.print(Text(f"{heading}: {counted(len(listed), 'key')}", style="bold"))
    for action in listed:
        tell(out, inert(f"  {_line(action)}"))
        when = f"{action.due_at:%Y-%m-%d %H:%M} UTC, told {action.announced_at:%Y-%m-%d %H:%M}"
        tell(out, inert(f"    {action.method.value} on {when}; {action.evidence}", "dim"))


def _line(one: Action | Held) -> str:
    where = one.project or "the organization"
    return f"{one.key_id}  {one.key_name or 'unnamed'} in {where}, {one.owner or 'owner unknown'}"
