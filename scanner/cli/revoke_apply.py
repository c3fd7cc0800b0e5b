"""`keyvigil revoke apply`: apply a reviewed plan."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import typer

from scanner.cli.choosing import chosen, file_settings
from scanner.cli.console import (
    ExitCode,
    confirmed,
    counted,
    has_person,
    inert,
    out,
    say,
    show_error,
    tell,
    worst,
)
from scanner.cli.job import job_of, seen_again_for
from scanner.cli.memory import Memory, remembering
from scanner.cli.recording import with_history
from scanner.cli.revocation_shown import print_act, print_plan, print_spared
from scanner.cli.revoking import carried_out, failed, hands, refused, scene_of, with_acts, with_plan
from scanner.cli.run import live
from scanner.cli.telling import tell as tell_people
from scanner.enforce import rehearse
from scanner.errors import KeyVigilError, RevocationError, UsageError
from scanner.formats.plan_json import ApprovedPlan, read_plan
from scanner.plan import make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.ports import Lease
from scanner.receipt import Spared
from scanner.remedy import Scene, digest_of, make_plan_of_revocation
from scanner.revocation import Mode, Plan
from scanner.scan import compared, scan
from scanner.settings import read_settings, store_settings
from scanner.settings_table import POLICIES, REDACT
from scanner.wiring import now

_PATIENCE: Final = timedelta(minutes=30)
"""The most time between the start of the scan and the first revocation."""
_ANEW: Final = "Make a new plan: keyvigil revoke plan --output plan.json"


def apply(context: typer.Context, file: Path, *, is_sure: bool, is_dry: bool) -> None:
    """Apply a plan after a new scan; raise typer.Exit, or UsageError if the plan is not valid."""
    approved = read_plan(file)
    job = job_of(chosen(context), file_settings(context).organizations)
    policies = load_policies(job.chosen[POLICIES])
    _refuse_outdated(approved, policies)
    settings = read_settings(job.chosen, os.environ, job.key)
    kept, again = store_settings(job.chosen, os.environ), seen_again_for(job)
    config = job.chosen.config
    with remembering(settings, kept, job.name, config, again, is_dry=is_dry) as memory:
        if memory is None or memory.bounds.mode is Mode.OFF:
            raise UsageError(
                "Revocation is off. No key was changed.",
                help="Set revocation.mode in keyvigil.yaml to plan or enforce, and unset"
                " KEYVIGIL_REVOCATION.",
            )
        scene = _seen_now(memory, policies)
        plan = _approved_of(scene, approved)
        print_plan(plan, out)
        if memory.lease is None:
            _rehearse(scene, plan, memory)
            raise typer.Exit
        if plan.due:
            _confirm(plan, memory.name, is_sure=is_sure)
            _refuse_late(approved, scene)
        raise typer.Exit(_carry_out(scene, plan, memory, memory.lease, masks=job.chosen[REDACT]))


def _refuse_outdated(approved: ApprovedPlan, policies: tuple[Policy, ...]) -> None:
    """Raise UsageError for a plan that is expired or was made with other policies."""
    if now() >= approved.expires_at:
        until = f"{approved.expires_at:%Y-%m-%d %H:%M} UTC"
        raise UsageError(f"The plan expired at {until}. No key was changed.", help=_ANEW)
    if digest_of(policies) != approved.policies:
        raise UsageError(
            "The plan was made with other policies. No key was changed.",
            help=f"Select the policies of the scan with --policy. {_ANEW}",
        )


def _refuse_late(approved: ApprovedPlan, scene: Scene) -> None:
    """Raise UsageError if the plan or the scan is too old after the confirmation."""
    if now() >= approved.expires_at or now() - scene.result.started_at > _PATIENCE:
        raise UsageError(
            "The confirmation came too late. No key was changed.", help="Run the command again."
        )


def _seen_now(memory: Memory, policies: tuple[Policy, ...]) -> Scene:
    """Scan the organization and evaluate its current state, without recording the scan."""
    if memory.settings is None:
        raise UsageError("Keys cannot be read without an admin key.")
    source = live(memory.settings, make_plan(policies), memory=memory)
    collect = with_history(source.collect, policies, memory)
    scanned = scan(collect, policies, source.clock(), source.clock)
    result = compared(scanned, memory.store, memory.organization, memory.identity)
    scene = scene_of(result, scanned, memory)
    return replace(scene, result=with_plan(scene))


def _approved_of(scene: Scene, approved: ApprovedPlan) -> Plan:
    """Return the approved actions that are still due: same key, same method, same rule.

    Raise UsageError if the plan is for another organization.
    """
    plan = make_plan_of_revocation(scene, only={key_id for key_id, _, _ in approved.due})
    if plan.organization != approved.organization:
        raise UsageError(
            f"The plan is for {approved.organization}, not for {plan.organization}."
            " No key was changed.",
            help="Check the admin key, or select the organization with --organization.",
        )
    due = tuple(a for a in plan.due if (a.key_id, a.method, a.rule) in approved.due)
    return replace(plan, due=due)


def _rehearse(scene: Scene, plan: Plan, memory: Memory) -> None:
    """Read each key again and print the intended change, without any change."""
    none = Lease(organization=memory.organization, holder="dry run", token=0)  # never writes
    with hands(memory, memory.store.journal(none), none.holder) as acting:
        for meant in rehearse(scene, plan, acting):
            if isinstance(meant, Spared):
                print_spared(meant, out)
            else:
                what = f"{meant.key_id} would be {meant.method.words}"
                tell(out, inert(f"  {what} (dry run, key not changed)"))


def _confirm(plan: Plan, organization: str, *, is_sure: bool) -> None:
    """Request confirmation; raise UsageError without a terminal, typer.Exit if it is declined."""
    if is_sure:
        return
    count = counted(len(plan.due), "key")
    if not has_person():
        raise UsageError(
            f"Revoking {count} of {organization} requires confirmation on a terminal.",
            help="Confirm with --yes, or check the keys without changes with --dry-run.",
        )
    if not confirmed(f"Revoke {count} of {organization}?"):
        say("No key was changed.")
        raise typer.Exit


def _carry_out(scene: Scene, plan: Plan, memory: Memory, lease: Lease, *, masks: bool) -> ExitCode:
    """Revoke the due keys, print each result, and deliver the alerts."""
    failures: list[KeyVigilError] = []
    if plan.refusal:
        failures.append(RevocationError(f"{plan.refusal}."))
    spared: list[Spared] = []
    try:
        for done in carried_out(scene, plan, memory, lease):
            if isinstance(done, Spared):
                spared.append(done)
                print_spared(done, out)
            else:
                print_act(done, out)
    except KeyboardInterrupt:
        say("Stopped. List the completed actions: keyvigil revoke journal", style="bold red")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    result, news = with_acts(scene.result, memory, lease, masks=masks)
    failures.extend((*failed(news), *refused(spared)))
    failures.extend(tell_people(result, memory.alerts, memory.store.outbox, lease, masks=masks))
    codes = [show_error(failure) for failure in failures]
    if not result.complete:
        say(
            "The scan is incomplete. Keys whose rules need the missing data were skipped.",
            style="magenta",
        )
        codes.append(ExitCode.INCOMPLETE)
    return worst(codes)
