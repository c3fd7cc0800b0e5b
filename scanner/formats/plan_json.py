"""A revocation plan as JSON `keyvigil.plan/1`, with a digest against edits."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from scanner.errors import UsageError
from scanner.revocation import Action, Held, Method, Plan

SCHEMA: Final = "keyvigil.plan/1"
_BYTES: Final = 100_000_000
_MAKE_ONE: Final = "Create a plan: keyvigil revoke plan --output plan.json"


def render_plan(plan: Plan) -> str:
    """Return the document; its `digest` covers all other fields, so that edits are detected."""
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
        "skipped": [_held(held) for held in plan.held],
    }
    document["digest"] = _digest(document)
    return json.dumps(document, indent=2) + "\n"


class ApprovedPlan(BaseModel):
    """A plan approved by a person; `due` are key id, method and rule."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    scan_id: str
    organization: str
    expires_at: AwareDatetime
    policies: str
    due: frozenset[tuple[str, Method, str]]


def read_plan(path: Path) -> ApprovedPlan:
    """Read a plan file; raise UsageError if it is invalid or was edited."""
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
        document = json.loads(content) if len(content) <= _BYTES else None
    except OSError as error:
        raise UsageError(f"The plan {path} cannot be read: {error.strerror}.") from None
    except (RecursionError, ValueError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{path} is not a revocation plan.", help=_MAKE_ONE)
    if document.pop("digest", None) != _digest(document):
        raise UsageError(f"The plan {path} was edited after KeyVigil wrote it.", help=_MAKE_ONE)
    try:
        return ApprovedPlan.model_validate(
            {
                **document,
                "due": [(one["key"]["id"], one["method"], one["rule"]) for one in document["due"]],
            }
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{path} is not a valid revocation plan.", help=_MAKE_ONE) from None


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
        "expire_in_seconds": int(action.expire_in.total_seconds()),
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
        "after_seconds": int(held.promise.after.total_seconds()),
        "reasons": list(held.reasons),
    }


def _key(action: Action) -> dict[str, str]:
    return {
        "id": action.key_id,
        "name": action.key_name,
        "redacted_value": action.redacted_value,
    }
