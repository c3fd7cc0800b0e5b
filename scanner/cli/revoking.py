"""Revocation as a run does it: planned with every scan, carried out only where it is to be."""

import getpass
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer

from scanner.announce_acts import drafts_of_acts, in_words, went_well
from scanner.cli.console import ExitCode, counted, say
from scanner.cli.memory import Memory
from scanner.enforce import REFUSED, Hands, carry_out, counting, settle
from scanner.errors import KeyVigilError, RevocationError, StoreError, UsageError
from scanner.guards import Known
from scanner.inventory import Inventory, KeyKind
from scanner.ports import Journal, Lease
from scanner.receipt import Act, Revocation, Spared
from scanner.redaction import without_addresses_in_draft
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.result import ScanResult
from scanner.revocation import NOTHING, Bounds, Mode, Plan
from scanner.scan import Scanned
from scanner.secret import Secret
from scanner.settings_file import REVOCATION
from scanner.wiring import make_revoker, now

_TOO_MANY: Final = (
    "So many at once are a mistake in a policy more often than a bad night: see keyvigil revoke"
    " plan. If they are to be, raise the bounds in keyvigil.yaml, knowing what you do."
)
_STOPPED: Final = (
    "Stopped while keys were revoked; the scan itself is recorded. keyvigil revoke journal tells"
    " what was done, and the next scan looks at what was begun."
)
_LOOK: Final = "The next scan looks at the key again; nothing is asked for twice."

_TOLD: Final = "the scan was told to end"


def scene_of(result: ScanResult, scanned: Scanned, memory: Memory) -> Scene:
    """Return what a plan rests on: a scan, and what the history knows beside it."""
    return Scene(
        result=result,
        inventory=scanned.inventory,
        policies=scanned.policies,
        bounds=memory.bounds,
        known=Known(
            announced=memory.store.outbox.announced(memory.organization),
            own_keys=_own_keys(scanned.inventory, memory.own_key),
            acts=memory.store.acts(memory.organization),
            elsewhere=memory.store.acts_elsewhere(memory.organization, scanned.inventory.ids),
        ),
    )


def _own_keys(inventory: Inventory, own: Secret) -> frozenset[str]:
    """Return which keys may be the scan's own: any admin key, if that is not known."""
    admin = (key for key in inventory.keys if key.kind is not KeyKind.PROJECT)
    return frozenset(key.id for key in admin if not own.reveal() or own.may_be(key.redacted_value))


def with_plan(scene: Scene) -> ScanResult:
    """Return the scan's result with what is to be revoked of it."""
    plan = make_plan_of_revocation(scene)
    return replace(scene.result, revocation=Revocation(mode=scene.bounds.mode, plan=plan))


def stopped(bounds: Bounds) -> str:
    """Return why nothing more is to be revoked, or "": looked at before each key."""
    if os.environ.get(REVOCATION, "").strip():
        return f"{REVOCATION} is off"
    if not bounds.stop_file:
        return ""
    try:
        Path(bounds.stop_file).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f"whether there is a stop file cannot be told: {error}"
    return f"there is the stop file {bounds.stop_file}"


def whose(lease: Lease) -> str:
    """Return who acts: the user, if the system knows one, and what holds the lock."""
    try:
        return f"{getpass.getuser()} on {lease.holder}"
    except (ImportError, KeyError, OSError):  # a container may have no name for its user
        return f"user {os.getuid()} on {lease.holder}"


@contextmanager
def hands(memory: Memory, journal: Journal, by: str) -> Iterator[Hands]:
    """Make what acts, on whose behalf; it is closed with the context."""
    if memory.settings is None:
        raise UsageError("Without an admin key nothing is revoked.", help="Set OPENAI_ADMIN_KEY.")
    with make_revoker(memory.settings) as revoker:
        acting = Hands(
            revoker=revoker,
            journal=journal,
            clock=now,
            by=by,
            stopped=lambda: _TOLD if memory.is_told_to_end() else stopped(memory.bounds),
        )
        yield counting(acting)


def carried_out(
    scene: Scene | None, plan: Plan, memory: Memory, lease: Lease
) -> Iterator[Act | Spared]:
    """Look what became of what was left open, then revoke what is due; yield what came of each."""
    journal = memory.store.journal(lease)
    is_open = any(act.is_open for act in journal.acts())
    if plan.due or is_open:
        with hands(memory, journal, whose(lease)) as acting:
            yield from settle(acting)
            if scene is not None:
                yield from carry_out(scene, plan, acting)


def revoke_tonight(
    result: ScanResult, scene: Scene | None, memory: Memory, lease: Lease, *, masks: bool
) -> tuple[ScanResult, list[KeyVigilError]]:
    """Carry out a scan's plan where the mode is enforce, and let people be told what came of it.

    Without a scene, as where revocation is off, only look what became of what was begun. Return the
    result with what came of it, and what failed. `masks` the addresses in alerts.
    """
    plan = result.revocation.plan if result.revocation else NOTHING
    if memory.bounds.mode is not Mode.ENFORCE:
        plan = NOTHING
    failures: list[KeyVigilError] = []
    if plan.refusal:
        failures.append(RevocationError(f"{plan.refusal}.", help=_TOO_MANY))
    spared: list[Spared] = []
    try:
        done = carried_out(scene, plan, memory, lease)
        spared.extend(one for one in done if isinstance(one, Spared))
    except StoreError as error:
        failures.append(error)
    except KeyboardInterrupt:
        say(_STOPPED, style="bold red")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if result.revocation:
        result = replace(result, revocation=replace(result.revocation, spared=tuple(spared)))
    try:
        result, news = with_acts(result, memory, lease, masks=masks)
    except StoreError as error:
        return result, [*failures, error]
    return result, [*failures, *failed(news), *refused(spared)]


def with_acts(
    result: ScanResult, memory: Memory, lease: Lease, *, masks: bool
) -> tuple[ScanResult, tuple[Act, ...]]:
    """Return the result with what was done since the night before, and what people hear of now."""
    history = result.history
    journal = memory.store.journal(lease)
    news, entry = journal.news()
    receipts = frozenset(act.intent.receipt for act in news)
    since = history.previous.started_at if history and history.previous else result.started_at
    acts = tuple(
        act for act in journal.acts() if act.intent.at > since or act.intent.receipt in receipts
    )
    if result.revocation or acts:
        before = result.revocation or Revocation(mode=memory.bounds.mode, plan=NOTHING)
        result = replace(result, revocation=replace(before, acts=acts))
    if news:
        drafts = drafts_of_acts(result, receipts, memory.alerts.routes, entry)
        masked = tuple(map(without_addresses_in_draft, drafts)) if masks else drafts
        journal.tell(result.started_at, masked, entry)
    return result, news


def refused(spared: Iterable[Spared]) -> Iterator[RevocationError]:
    """Yield the error of a run that stopped because the API refused its requests."""
    count = sum(one.reason == REFUSED for one in spared)
    if count:
        yield RevocationError(
            f"{counted(count, 'due key')} skipped: {REFUSED}",
            help="Give the admin key the scope api.management.write. The next scan tries again.",
        )


def failed(acts: Iterable[Act]) -> Iterator[RevocationError]:
    """Yield what is to be said of each act that was not done, or of which nobody knows."""
    for act in acts:
        if not went_well(act):
            name = act.intent.key_name or "unnamed"
            where = act.intent.project or "the organization"
            yield RevocationError(
                f"{act.intent.key_id}, {name} in {where}, was to be"
                f" {act.intent.method.words}: {in_words(act)}.",
                help=_LOOK if act.is_open else None,
            )
