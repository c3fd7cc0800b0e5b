"""`keyvigil revoke plan`: keys that are due, waiting or skipped, with the reasons."""

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
    """Print the remediation plan of a recorded scan, and write it to `output`."""
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
        say("Revocation is off. To make plans, set revocation.mode: plan in keyvigil.yaml.")
    if not night.result.complete:
        print_coverage(night.result, err)
        raise typer.Exit(ExitCode.INCOMPLETE)


def own_key(config: Path | None) -> Secret:
    """Return OPENAI_ADMIN_KEY, or "" if the settings list organizations.

    Listed organizations have keys of their own, so that OPENAI_ADMIN_KEY belongs to none of them.
    """
    listed = read_settings_file(config).organizations if config else ()
    return Secret("" if listed else os.environ.get(ADMIN_KEY, ""))
