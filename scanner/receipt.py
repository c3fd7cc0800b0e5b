"""What was done to keys: an intent before each change, an outcome after it, and their chain."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.revocation import Action, Method, Mode, Plan
from scanner.severity import Severity

FIRST: Final = "0" * 64
"""What the first entry of a journal holds as the hash of the one before."""


class Result(StrEnum):
    """How a change ended.

    ACCEPTED: the API said yes, and the key does not show it yet. REFUSED: the API will not, and
    asking again is no use. FAILED: it had no effect, this time. UNKNOWN: whether it had one cannot
    be found out.
    """

    DONE = "done"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A change of one key that is about to be made: what, why, by whom, and the key as it is.

    EXPIRE lets it work for `expires_in` more seconds, RESTRICT gives it `scopes`. `undoes` is the
    receipt of what it takes back. `expires_at`, `last_used_at` and `scopes_before` are of before,
    the last None if not known; `policies` is the digest of what judged it.
    """

    receipt: str
    organization: str
    at: datetime
    by: str
    method: Method
    key_id: str
    key_name: str
    redacted_value: str
    project_id: str | None
    project: str
    owner: str
    owner_email: str = ""
    owners: tuple[str, ...] = ()
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    scopes_before: tuple[str, ...] | None = None
    expires_in: int = 0
    scopes: tuple[str, ...] = ()
    undoes: str = ""
    rule: str = ""
    severity: Severity = Severity.INFO
    fingerprint: str = ""
    evidence: str = ""
    checked: tuple[str, ...] = ()
    scan_id: str = ""
    policies: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended, as reading the key again showed; `note` is what else is to be known.

    `expires_at` is the key's since then, `is_gone` whether it exists no more.
    """

    receipt: str
    at: datetime
    result: Result
    note: str = ""
    request_id: str = ""
    expires_at: datetime | None = None
    is_gone: bool = False


class Act(NamedTuple):
    """An intent and how it ended; no outcome: nobody knows yet."""

    intent: Intent
    outcome: Outcome | None

    @property
    def is_open(self) -> bool:
        """Whether how it ended is still to be found out."""
        return self.outcome is None or self.outcome.result is Result.ACCEPTED

    @property
    def may_have_changed(self) -> bool:
        """Whether the key was changed, or may have been."""
        nothing = (Result.REFUSED, Result.FAILED)
        return self.outcome is None or self.outcome.result not in nothing


class Spared(NamedTuple):
    """A key that was due and let be at the last moment, and why."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What a scan plans, and what came of it: nothing yet, or not at all, without acts."""

    mode: Mode
    plan: Plan
    acts: tuple[Act, ...] = ()
    spared: tuple[Spared, ...] = ()


class Entry(NamedTuple):
    """One line of the journal: its `content` is canonical JSON, `hash` covers that and `before`."""

    number: int
    before: str
    hash: str
    content: str


def seal(before: str, content: str) -> str:
    """Return the hash of an entry: SHA-256 over the hash before it and its content."""
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def broken_at(entries: Iterable[Entry]) -> int | None:
    """Return the number of the first entry that was changed, or that one is missing before."""
    expected, before = 1, FIRST
    for entry in entries:
        if (entry.number, entry.before) != (expected, before):
            return expected
        if entry.hash != seal(before, entry.content):
            return expected
        expected, before = expected + 1, entry.hash
    return None


def undone(acts: Iterable[Act]) -> frozenset[str]:
    """Return the receipts of what was, or may have been, taken back."""
    return frozenset(a.intent.undoes for a in acts if a.intent.undoes and a.may_have_changed)


def revoked_since(acts: Iterable[Act], since: datetime) -> int:
    """Count the revocations since a moment that had, or may have had, an effect."""
    return sum(a.may_have_changed and not a.intent.undoes and a.intent.at > since for a in acts)
