"""Evaluate one key again immediately before it is revoked. Pure."""

import secrets
from dataclasses import replace
from datetime import datetime

from scanner.inventory import (
    Inventory,
    Key,
    OwnerKind,
    Project,
    ServiceAccount,
    Unknown,
    User,
    oldest_first,
)
from scanner.judge import judge
from scanner.ports import Look
from scanner.receipt import Intent
from scanner.remedy import Scene, digest_of, make_plan_of_revocation
from scanner.revocation import READ_ONLY, Action, Method


def judged_again(scene: Scene, action: Action, look: Look, now: datetime) -> Action | str:
    """Return the action that is due now for a re-read key, or the reason to skip it.

    All other data than the key, its owner and its project is that of the scan.
    """
    if look.key is None:
        return "Key no longer exists"
    inventory = _with(scene.inventory, look.key, look.owner, look.project)
    findings = judge(inventory, scene.policies, now).findings
    result = replace(scene.result, started_at=now, findings=findings)
    again = replace(scene, inventory=inventory, result=result)
    plan = make_plan_of_revocation(again, only={action.key_id})
    for found in plan.due:
        if (found.method, found.rule) == (action.method, action.rule):
            return found
        return (
            f"Planned action is outdated: now due is {found.method.value} for rule {found.rule};"
            " make a new plan"
        )
    for held in plan.held:
        return "; ".join(held.reasons)
    for waiting in plan.waiting:
        return f"Key is not due before {waiting.due_at:%Y-%m-%d %H:%M} UTC"
    return "Key no longer violates a rule that requests revocation"


def intent_of(scene: Scene, action: Action, key: Key, now: datetime, by: str) -> Intent:
    """Return the change that an action requests, for the key in its current state."""
    events = oldest_first(scene.inventory.events)
    given = [e.scopes for e in events if e.subject_id == key.id and e.scopes is not None]
    newest = given[-1] if given else None
    method = action.method
    seconds = int(action.expire_in.total_seconds())
    return Intent(
        receipt=new_receipt(now),
        organization=scene.result.organization or "",
        at=now,
        by=by,
        method=method,
        key_id=action.key_id,
        key_name=action.key_name,
        redacted_value=action.redacted_value,
        project_id=action.project_id or None,
        project=action.project,
        owner=action.owner,
        owner_email=action.owner_email,
        owners=action.owners,
        expires_at=_told(key.expires_at),
        last_used_at=_told(key.last_used_at),
        scopes_before=None if isinstance(newest, Unknown) else newest,
        expires_in=seconds if method is Method.EXPIRE else 0,
        scopes=READ_ONLY if method is Method.RESTRICT else (),
        rule=action.rule,
        severity=action.severity,
        fingerprint=action.fingerprint,
        evidence=action.evidence,
        checked=action.checked,
        scan_id=scene.result.id,
        policies=digest_of(scene.policies),
    )


def new_receipt(now: datetime) -> str:
    """Return an id that contains the time: `20261124T020000Z-1f2e3d4c`."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _told(moment: datetime | Unknown | None) -> datetime | None:
    return None if isinstance(moment, Unknown) else moment


def _with(
    inventory: Inventory, key: Key, owner: User | ServiceAccount | None, project: Project | None
) -> Inventory:
    """Return the inventory with a key, its owner, if any, and its project as re-read."""
    keys = tuple(key if one.id == key.id else one for one in inventory.keys)
    projects = tuple(
        project if project and one.id == project.id else one for one in inventory.projects
    )
    users, accounts = inventory.users, inventory.service_accounts
    if key.owner.kind is OwnerKind.USER:
        users = tuple(one for one in users if one.id != key.owner.id)
        users += (owner,) if isinstance(owner, User) else ()
    if key.owner.kind is OwnerKind.SERVICE_ACCOUNT and key.project_id is not None:
        its = (key.project_id, key.owner.id)
        accounts = tuple(one for one in accounts if (one.project_id, one.id) != its)
        accounts += (owner,) if isinstance(owner, ServiceAccount) else ()
    return replace(inventory, keys=keys, projects=projects, users=users, service_accounts=accounts)
