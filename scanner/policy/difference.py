"""What two policies make of the same keys. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from scanner.finding import Finding, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding that comes out otherwise, and how; "" is no finding at all."""

    finding: Finding
    before: str
    after: str


def compare(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Change, ...]:
    """Return what comes out otherwise: first what is found after, then what is found no more."""
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
