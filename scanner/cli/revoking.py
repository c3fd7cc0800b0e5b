"""Revocation in a scan: planned every time, applied only in mode enforce."""

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
    "Check the policy: list the keys with keyvigil revoke plan. If all of them must be revoked,"
    " raise max_keys or max_percent in keyvigil.yaml."
)
_STOPPED: Final = (
    "Stopped during revocation; the scan is recorded. List the completed actions with keyvigil"
    " revoke journal. The next scan checks the unfinished ones."
)
_LOOK: Final = "Wait for the next scan, which reads the key again. No change is requested twice."

_TOLD: Final = "Scan was requested to stop"


def scene_of(result: ScanResult, scanned: Scanned, memory: Memory) -> Scene:
    """Return the data for a plan: the scan, and notices and actions from the history."""
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
    """Return the ids of keys that the scan may use itself: all admin keys if `own` is empty."""
    admin = (key for key in inventory.keys if key.kind is not KeyKind.PROJECT)
    return frozenset(key.id for key in admin if not own.reveal() or own.may_be(key.redacted_value))


def with_plan(scene: Scene) -> ScanResult:
    """Return the scan's result with its remediation plan."""
    plan = make_plan_of_revocation(scene)
    return replace(scene.result, revocation=Revocation(mode=scene.bounds.mode, plan=plan))


def stopped(bounds: Bounds) -> str:
    """Return the reason to revoke no further key, or "". Checked before each key."""
    if os.environ.get(REVOCATION, "").strip():
        return f"Revocation is off ({REVOCATION})"
    if not bounds.stop_file:
        return ""
    try:
        Path(bounds.stop_file).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f"Stop file could not be checked: {error}"
    return f"Stop file exists: {bounds.stop_file}"


def whose(lease: Lease) -> str:
    """Return the actor for the journal: the user, and the holder of the lock."""
    try:
        return f"{getpass.getuser()} on {lease.holder}"
    except (ImportError, KeyError, OSError):  # a container may have no name for its user
        return f"user {os.getuid()} on {lease.holder}"


@contextmanager
def hands(memory: Memory, journal: Journal, by: str) -> Iterator[Hands]:
    """Open a connection that can change keys, with the actor `by`; closed with the context."""
    if memory.settings is None:
        raise UsageError("Revocation requires an admin key.", help="Set OPENAI_ADMIN_KEY.")
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
    """Settle unfinished actions, then revoke the due keys; yield the result of each."""
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
    """Apply the scan's plan in mode enforce, and create the alerts about the actions.

    Without a scene (revocation is off), only settle unfinished actions. Return the scan's result
    with the actions, and the errors. `masks`: mask addresses in alerts.
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
    """Return the result with the actions since the previous scan, and the actions to announce."""
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
            f"{counted(count, 'due key')} skipped. {REFUSED}.",
            help="Give the admin key the scope api.management.write. The next scan retries.",
        )


def failed(acts: Iterable[Act]) -> Iterator[RevocationError]:
    """Yield an error for each action that failed or whose outcome is not known."""
    for act in acts:
        if not went_well(act):
            name = act.intent.key_name or "unnamed"
            where = act.intent.project or "the organization"
            yield RevocationError(
                f"The action {act.intent.method.value} on {act.intent.key_id}, {name} in {where},"
                f" failed or is uncertain: {in_words(act)}.",
                help=_LOOK if act.is_open else None,
            )
