"""A plan of revocations as JSON `keyvigil.plan/1`, bound to what it rests on by a digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from scanner.errors import UsageError
from scanner.revocation import Action, Held, Method, Plan

SCHEMA: Final = "keyvigil.plan/1"
_BYTES: Final = 100_000_000
_MAKE_ONE: Final = "Make one: keyvigil revoke plan --output plan.json"


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
    document["digest"] = _digest(document)
    return json.dumps(document, indent=2) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPlan:
    """A plan as somebody looked at it; `due` are the keys' ids, the methods and the rules."""

    scan_id: str
    organization: str
    expires_at: datetime
    policies: str
    due: frozenset[tuple[str, Method, str]]


def read_plan(path: Path) -> ApprovedPlan:
    """Read a plan file; raise UsageError if it is none, or not as it was written."""
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
        document = json.loads(content) if len(content) <= _BYTES else None
    except OSError as error:
        raise UsageError(f"The plan {path} cannot be read: {error.strerror}.") from None
    except (RecursionError, ValueError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{path} is no plan of revocations.", help=_MAKE_ONE)
    if document.pop("digest", None) != _digest(document):
        raise UsageError(
            f"The plan {path} was edited: it is not as it was written.", help=_MAKE_ONE
        )
    return ApprovedPlan(
        scan_id=document["scan_id"],
        organization=document["organization"],
        expires_at=datetime.fromisoformat(document["expires_at"]),
        policies=document["policies"],
        due=frozenset(
            (one["key"]["id"], Method(one["method"]), one["rule"]) for one in document["due"]
        ),
    )


def _digest(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


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
        "after_seconds": int(held.after.total_seconds()),
        "reasons": list(held.reasons),
    }


def _key(action: Action) -> dict[str, str]:
    return {
        "id": action.key_id,
        "name": action.key_name,
        "redacted_value": action.redacted_value,
    }
