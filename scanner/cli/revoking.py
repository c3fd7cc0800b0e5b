"""Revocation as a run does it: planned with every scan, carried out only where it is to be."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from scanner.announce_acts import drafts_of_acts, in_words
from scanner.announcement import Sink
from scanner.cli.memory import Memory
from scanner.enforce import Hands, carry_out, settle
from scanner.errors import KeyVigilError, RevocationError, StoreError, UsageError
from scanner.guards import Known
from scanner.inventory import Inventory, KeyKind
from scanner.ports import Journal, Lease
from scanner.receipt import Act, Result, Revocation, Spared
from scanner.redaction import without_addresses
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.result import ScanResult
from scanner.revocation import Bounds, Mode, Plan
from scanner.scan import Scanned
from scanner.secret import Secret
from scanner.settings_file import REVOCATION
from scanner.wiring import make_revoker, now

_TOO_MANY: Final = (
    "So many at once are a mistake in a policy more often than a bad night: see keyvigil revoke"
    " plan. If they are to be, raise the bounds in keyvigil.yaml, knowing what you do."
)
_LOOK: Final = "The next scan looks at the key again; nothing is asked for twice."


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
        ),
    )


def _own_keys(inventory: Inventory, own: Secret) -> frozenset[str]:
    """Return which keys may be the scan's own: any admin key, if that is not known."""
    admin = (key for key in inventory.keys if key.kind is not KeyKind.PROJECT)
    return frozenset(key.id for key in admin if not own.reveal() or own.may_be(key.redacted_value))


def with_plan(scene: Scene) -> ScanResult:
    """Return the scan's result with what is to be revoked of it; as it is, if revocation is off."""
    mode = scene.bounds.mode
    if mode is Mode.OFF:
        return scene.result
    plan = make_plan_of_revocation(scene)
    return replace(scene.result, revocation=Revocation(mode=mode, plan=plan))


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
    except OSError as error:
        return f"whether there is a stop file cannot be told: {error.strerror}"
    return f"there is the stop file {bounds.stop_file}"


@contextmanager
def hands(memory: Memory, journal: Journal, by: str) -> Iterator[Hands]:
    """Make what acts, on whose behalf; it is closed with the context."""
    if memory.settings is None:
        raise UsageError("Without an admin key nothing is revoked.", help="Set OPENAI_ADMIN_KEY.")
    with make_revoker(memory.settings) as revoker:
        yield Hands(
            revoker=revoker,
            journal=journal,
            clock=now,
            by=by,
            stopped=lambda: stopped(memory.bounds),
        )


def carried_out(scene: Scene, plan: Plan, memory: Memory, lease: Lease) -> Iterator[Act | Spared]:
    """Look what became of what was left open, then revoke what is due; yield what came of each."""
    journal = memory.store.journal(lease)
    is_open = any(act.outcome is None for act in journal.acts())
    if plan.due or is_open:
        with hands(memory, journal, lease.holder) as acting:
            yield from settle(acting)
            yield from carry_out(scene, plan, acting)


def revoke_tonight(
    scene: Scene, memory: Memory, lease: Lease, *, masks: bool
) -> tuple[ScanResult, list[KeyVigilError]]:
    """Carry out a scan's plan where the mode is enforce, and let people be told what came of it.

    Return the result with what came of it, and what failed. `masks` addresses but to owners.
    """
    result = scene.result
    revocation = result.revocation
    if revocation is None:
        return result, []
    plan = revocation.plan
    if revocation.mode is not Mode.ENFORCE:
        plan = replace(plan, due=(), refusal="")
    failures: list[KeyVigilError] = []
    if plan.refusal:
        failures.append(RevocationError(f"{plan.refusal}.", help=_TOO_MANY))
    spared: list[Spared] = []
    try:
        done = carried_out(scene, plan, memory, lease)
        spared.extend(one for one in done if isinstance(one, Spared))
    except StoreError as error:
        failures.append(error)
    result = replace(result, revocation=replace(revocation, spared=tuple(spared)))
    try:
        result, news = with_acts(result, memory, lease, masks=masks)
    except StoreError as error:
        return result, [*failures, error]
    return result, [*failures, *failed(news)]


def with_acts(
    result: ScanResult, memory: Memory, lease: Lease, *, masks: bool
) -> tuple[ScanResult, tuple[Act, ...]]:
    """Return the result with what was done since the night before, and what people hear of now."""
    revocation, history = result.revocation, result.history
    if revocation is None:
        return result, ()
    journal = memory.store.journal(lease)
    news, entry = journal.news()
    receipts = frozenset(act.intent.receipt for act in news)
    since = history.previous.started_at if history and history.previous else result.started_at
    acts = tuple(
        act for act in journal.acts() if act.intent.at > since or act.intent.receipt in receipts
    )
    result = replace(result, revocation=replace(revocation, acts=acts))
    if news:
        routes = memory.alerts.routes
        to_owners = [route for route in routes if route.sink is Sink.SLACK_OWNERS]
        others = [route for route in routes if route.sink is not Sink.SLACK_OWNERS]
        shown = without_addresses(result) if masks and others else result
        drafts = drafts_of_acts(shown, receipts, others, entry)
        drafts += drafts_of_acts(result, receipts, to_owners, entry)
        journal.tell(result.started_at, drafts, entry)
    return result, news


def failed(acts: Iterable[Act]) -> Iterator[RevocationError]:
    """Yield what is to be said of each act that was not done, or of which nobody knows."""
    for act in acts:
        if act.outcome is None or act.outcome.result is not Result.DONE:
            name = act.intent.key_name or "unnamed"
            where = act.intent.project or "the organization"
            yield RevocationError(
                f"{act.intent.key_id}, {name} in {where}, was to be"
                f" {act.intent.method.words}: {in_words(act)}.",
                help=_LOOK if act.outcome is None else None,
            )
