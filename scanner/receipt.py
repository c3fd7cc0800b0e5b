"""Actions on keys: an intent before each change, an outcome after it, and the journal's hashes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.revocation import Action, Method, Mode, Plan
from scanner.severity import Severity

FIRST: Final = "0" * 64
"""The previous hash in the first entry of a journal."""


class Result(StrEnum):
    """The result of a requested change.

    ACCEPTED: the API accepted it, but the key does not show it yet. REFUSED: the API refused it; a
    retry would be refused as well. FAILED: no effect, a retry may succeed. UNKNOWN: the effect
    cannot be determined.
    """

    DONE = "done"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A change of one key, recorded before the request: what, why, by whom, and the key before it.

    EXPIRE lets the key work for `expires_in` more seconds, RESTRICT sets `scopes`. `undoes` is the
    receipt of the action that it undoes. `expires_at`, `last_used_at` and `scopes_before` (None:
    unknown) are the values before the change; `policies` is the digest of the policies.
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
    """The outcome of a change, according to the re-read key; `note` gives details.

    `expires_at` is the new expiry, `is_gone` whether the key no longer exists.
    """

    receipt: str
    at: datetime
    result: Result
    note: str = ""
    request_id: str = ""
    expires_at: datetime | None = None
    is_gone: bool = False


class Act(NamedTuple):
    """An intent and its outcome; None if the outcome is not known yet."""

    intent: Intent
    outcome: Outcome | None

    @property
    def is_open(self) -> bool:
        """Whether the final outcome is not known yet."""
        return self.outcome is None or self.outcome.result is Result.ACCEPTED

    @property
    def may_have_changed(self) -> bool:
        """Whether the key was changed, or may have been."""
        nothing = (Result.REFUSED, Result.FAILED)
        return self.outcome is None or self.outcome.result not in nothing


class Spared(NamedTuple):
    """A due key that was skipped when it was read again, and the reason."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The remediation plan of a scan, the actions since the previous scan, and the skipped keys."""

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
    """Return the number of the first entry that was changed or is missing, or None."""
    expected, before = 1, FIRST
    for entry in entries:
        if (entry.number, entry.before) != (expected, before):
            return expected
        if entry.hash != seal(before, entry.content):
            return expected
        expected, before = expected + 1, entry.hash
    return None


def undone(acts: Iterable[Act]) -> frozenset[str]:
    """Return the receipts of the actions that were, or may have been, undone."""
    return frozenset(a.intent.undoes for a in acts if a.intent.undoes and a.may_have_changed)


def revoked_since(acts: Iterable[Act], since: datetime) -> int:
    """Count the revocations since a moment that had, or may have had, an effect."""
    return sum(a.may_have_changed and not a.intent.undoes and a.intent.at > since for a in acts)
