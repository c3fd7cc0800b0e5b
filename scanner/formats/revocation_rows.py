"""Revocation as rows of `keyvigil.report/1`."""

from datetime import datetime

from pydantic import BaseModel, Field

from scanner.receipt import Act, Result, Revocation
from scanner.revocation import Action, Held, Method, Mode


class ActionRow(BaseModel):
    """A key that is to be revoked, and from when on."""

    key_id: str
    method: Method
    rule: str
    fingerprint: str
    announced_at: datetime = Field(description="When people were first told of it.")
    due_at: datetime


class SkippedRow(BaseModel):
    """A key that a rule would have revoked, and why it is skipped."""

    key_id: str
    method: Method
    rule: str
    fingerprint: str
    reasons: list[str]


class ActRow(BaseModel):
    """What was done to a key; `result` null: whether it had an effect is not known yet."""

    receipt: str
    undoes: str | None = Field(description="The receipt of what it takes back.")
    at: datetime
    by: str
    key_id: str
    method: Method
    rule: str | None
    fingerprint: str | None
    result: Result | None
    note: str | None
    expires_at: datetime | None = Field(description="When the key expires since then.")
    request_id: str | None


class RevocationRow(BaseModel):
    """What is to be revoked, and what was since the scan before."""

    mode: Mode
    refusal: str | None = Field(description="Why nothing is due although something would be.")
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
