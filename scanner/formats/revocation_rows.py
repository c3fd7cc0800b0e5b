"""Revocation as rows of `keyvigil.report/1`."""

from datetime import datetime

from pydantic import BaseModel, Field

from scanner.receipt import Act, Result, Revocation
from scanner.revocation import Action, Held, Method, Mode


class ActionRow(BaseModel):
    """A key scheduled for revocation, and the time from which it is due."""

    key_id: str
    method: Method
    rule: str
    fingerprint: str
    announced_at: datetime = Field(description="When it was first announced.")
    due_at: datetime


class SkippedRow(BaseModel):
    """A key whose requested revocation is skipped, and the reasons."""

    key_id: str
    method: Method
    rule: str
    fingerprint: str
    reasons: list[str]


class ActRow(BaseModel):
    """An action on a key; `result` is null while its effect is unknown."""

    receipt: str
    undoes: str | None = Field(description="The receipt of the action that it undoes.")
    at: datetime
    by: str
    key_id: str
    method: Method
    rule: str | None
    fingerprint: str | None
    result: Result | None
    note: str | None
    expires_at: datetime | None = Field(description="The new expiry of the key.")
    request_id: str | None


class RevocationRow(BaseModel):
    """Scheduled revocations, and actions since the previous scan."""

    mode: Mode
    refusal: str | None = Field(description="Why no key is due although revocations are requested.")
    due: list[ActionRow]
    waiting: list[ActionRow]
    skipped: list[SkippedRow]
    actions: list[ActRow]


def revocation_row(revocation: Revocation) -> RevocationRow:
    """Return the rows."""
    plan = revocation.plan
    spared = [_held(one.action, (one.reason,)) for one in revocation.spared]
    return RevocationRow(
        mode=revocation.mode,
        refusal=plan.refusal or None,
        due=[_action(action) for action in plan.due],
        waiting=[_action(action) for action in plan.waiting],
        skipped=[*(_held(held, held.reasons) for held in plan.held), *spared],
        actions=[_act(act) for act in revocation.acts],
    )


def _action(action: Action) -> ActionRow:
    return ActionRow(
        key_id=action.key_id,
        method=action.method,
        rule=action.rule,
        fingerprint=action.fingerprint,
        announced_at=action.announced_at,
        due_at=action.due_at,
    )


def _held(held: Held | Action, reasons: tuple[str, ...]) -> SkippedRow:
    return SkippedRow(
        key_id=held.key_id,
        method=held.method,
        rule=held.rule,
        fingerprint=held.fingerprint,
        reasons=list(reasons),
    )


def _act(act: Act) -> ActRow:
    intent, outcome = act
    return ActRow(
        receipt=intent.receipt,
        undoes=intent.undoes or None,
        at=intent.at,
        by=intent.by,
        key_id=intent.key_id,
        method=intent.method,
        rule=intent.rule or None,
        fingerprint=intent.fingerprint or None,
        result=outcome.result if outcome else None,
        note=(outcome.note or None) if outcome else None,
        expires_at=outcome.expires_at if outcome else None,
        request_id=(outcome.request_id or None) if outcome else None,
    )
