"""`keyvigil revoke plan`: what is to be revoked, and why or why not."""

import os
from pathlib import Path

import typer

from scanner.cli.console import ExitCode, err, out, say
from scanner.cli.memory import Memory
from scanner.cli.report import Wanted, recorded
from scanner.cli.revocation_shown import print_plan
from scanner.cli.revoking import scene_of
from scanner.cli.summary import print_coverage
from scanner.formats.files import check_writable, write_whole
from scanner.formats.plan_json import render_plan
from scanner.remedy import make_plan_of_revocation
from scanner.revocation import Mode
from scanner.secret import Secret
from scanner.settings import ADMIN_KEY
from scanner.settings_file import read_bounds, read_settings_file


def plan(wanted: Wanted, output: Path | None, *, as_json: bool) -> None:
    """Print which keys of a recorded scan are to be revoked, and write that to `output`."""
    if output is not None:
        check_writable(output)
    bounds = read_bounds(os.environ, wanted.config)
    night = recorded(wanted)
    memory = Memory(
        store=night.store,
        organization=night.organization,
        lease=None,
        bounds=bounds,
        own_key=own_key(wanted.config),
    )
    made = make_plan_of_revocation(scene_of(night.result, night.scanned, memory))
    document = render_plan(made)
    if output is not None:
        write_whole(output, document.encode())
        say(f"Wrote {output}")
    if as_json:
        typer.echo(document, nl=False)
    else:
        print_plan(made, out)
    if bounds.mode is Mode.OFF:
        say("Revocation is off: set revocation.mode in keyvigil.yaml to plan what is to be done.")
    if not night.result.complete:
        print_coverage(night.result, err)
        raise typer.Exit(ExitCode.INCOMPLETE)


def own_key(config: Path | None) -> Secret:
    """Return OPENAI_ADMIN_KEY, if it can be the scan's own: "" where organizations are listed.

    Where the settings list organizations, it is none of theirs.
    """
    listed = read_settings_file(config).organizations if config else ()
    return Secret("" if listed else os.environ.get(ADMIN_KEY, ""))
