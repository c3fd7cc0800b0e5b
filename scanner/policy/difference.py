"""The differences between the findings of two policies on the same keys. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from scanner.finding import Finding, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding with another severity or outcome before and after; "": no finding."""

    finding: Finding
    before: str
    after: str


def compare(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Change, ...]:
    """Return the changes: first the findings of `after`, then those that only `before` has."""
    old = {finding.fingerprint: finding for finding in before}
    new = {finding.fingerprint: finding for finding in after}
    every = (*new.values(), *(f for fingerprint, f in old.items() if fingerprint not in new))
    changes = (
        Change(
            finding=finding,
            before=_spelled(old.get(finding.fingerprint)),
            after=_spelled(new.get(finding.fingerprint)),
        )
        for finding in every
    )
    return tuple(change for change in changes if change.before != change.after)


def _spelled(finding: Finding | None) -> str:
    if finding is None:
        return ""
    is_violated = finding.outcome is Outcome.VIOLATED
    return finding.severity.value if is_violated else finding.outcome.value
