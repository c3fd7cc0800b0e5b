"""A plan of revocations as JSON `keyvigil.plan/1`, bound to what it rests on by a digest."""

import hashlib
import json
from typing import Any, Final

from scanner.revocation import Action, Held, Plan

SCHEMA: Final = "keyvigil.plan/1"


def render_plan(plan: Plan) -> str:
    """Return the document; its `digest` covers all the rest, so that an edited plan is known."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "organization": plan.organization,
        "scan_id": plan.scan_id,
        "made_at": plan.made_at.isoformat(),
        "expires_at": plan.expires_at.isoformat(),
        "policies": plan.policies,
        "inventory": plan.inventory,
        "refusal": plan.refusal or None,
        "due": [_action(action) for action in plan.due],
        "waiting": [_action(action) for action in plan.waiting],
        "held": [_held(held) for held in plan.held],
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps(document, indent=2) + "\n"


def _action(action: Action) -> dict[str, Any]:
    return {
        "key": _key(action),
        "project": {"id": action.project_id or None, "name": action.project},
        "owner": action.owner,
        "method": action.method.value,
        "due_at": action.due_at.isoformat(),
        "announced_at": action.announced_at.isoformat(),
        "rule": action.rule,
        "severity": action.severity.value,
        "fingerprint": action.fingerprint,
        "evidence": action.evidence,
        "checked": list(action.checked),
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "key": {"id": held.key_id, "name": held.key_name},
        "project": held.project,
        "owner": held.owner,
        "method": held.method.value,
        "rule": held.rule,
        "fingerprint": held.fingerprint,
        "reasons": list(held.reasons),
    }


def _key(action: Action) -> dict[str, str]:
    return {
        "id": action.key_id,
        "name": action.key_name,
        "redacted_value": action.redacted_value,
    }
