"""E-mail addresses masked in a result, for reports that go to many: `a***@example.com`. Pure."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Final, overload

from scanner.finding import Evidence, ExceptionTally, ExceptionText, Finding
from scanner.inventory import Key
from scanner.lifecycle import Case
from scanner.result import ScanResult

_ADDRESS: Final = re.compile(r"([^\s@<>\"'(),;:])[^\s@<>\"'(),;:]*@([^\s@<>\"'(),;:]+)")


def without_addresses(result: ScanResult) -> ScanResult:
    """Return the result with every address masked, in names and evidence, too; ids stay."""
    history = result.history
    if history is not None:
        standings = (s._replace(case=_case(s.case)) for s in history.standings)
        closed = tuple(map(_case, history.closed))
        history = replace(history, standings=tuple(standings), closed=closed)
    return replace(
        result,
        findings=tuple(_findings(result.findings)),
        exceptions=tuple(_tally(tally) for tally in result.exceptions),
        history=history,
    )


def _findings(findings: Iterable[Finding]) -> Iterable[Finding]:
    keys: dict[str, Key] = {}
    for finding in findings:
        key = keys.get(finding.key.id) or keys.setdefault(finding.key.id, _key(finding.key))
        yield finding._replace(
            key=key,
            owner_email=_masked(finding.owner_email),
            evidence=tuple(map(_evidence, finding.evidence)),
            exception=finding.exception and _exception(finding.exception),
        )


def _key(key: Key) -> Key:
    owner = replace(key.owner, name=_masked(key.owner.name), email=_masked(key.owner.email))
    return replace(key, name=_masked(key.name), owner=owner)


def _evidence(evidence: Evidence) -> Evidence:
    value = evidence.value
    # Only texts hold addresses: an enum's value is none of them.
    return evidence._replace(value=_masked(value)) if type(value) is str else evidence


def _tally(tally: ExceptionTally) -> ExceptionTally:
    return replace(tally, exception=_exception(tally.exception))


@cache
def _exception(text: ExceptionText) -> ExceptionText:
    return replace(text, owner=_masked(text.owner), reason=_masked(text.reason))


def _case(case: Case) -> Case:
    return case._replace(
        key_name=_masked(case.key_name),
        owner_name=_masked(case.owner_name),
        owner_email=_masked(case.owner_email),
    )


@overload
def _masked(text: str) -> str: ...
@overload
def _masked(text: None) -> None: ...
def _masked(text: str | None) -> str | None:
    if text is None or "@" not in text:
        return text
    return _ADDRESS.sub(r"\1***@\2", text)
