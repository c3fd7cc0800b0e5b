"""Masks e-mail addresses in results and alerts: `a***@example.com`. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from itertools import islice
from operator import attrgetter
from types import NoneType
from typing import Any, Final

from scanner.announcement import Draft
from scanner.result import ScanResult

Many = Sequence[Any]
_TEXTS: Final = {str, NoneType}
# The characters of an address, with an optional quoted local part: `"ada ito"@example.com`.
_WORD: Final = re.compile(r"""(?:"[^"]*"(?=@))?[^\s<>"'(),;:][^\s<>"(),;:]*""")


def without_addresses(result: ScanResult) -> ScanResult:
    """Return the result with every address in every text masked.

    Only the ids of keys are not masked: fingerprints derive from them.
    """
    masked: ScanResult = _Mask(_key_ids(result)).each([result])[0]
    return masked


def without_addresses_in_draft(draft: Draft) -> Draft:
    """Return the draft with every address in its announcement masked.

    The target is not masked: it is the address by which Slack finds the owner.
    """
    return draft._replace(announcement=_Mask(()).each([draft.announcement])[0])


def without_addresses_in(text: str) -> str:
    """Return one text with every address in it masked."""
    return _WORD.sub(_masked, text)


class _Mask:
    """Masks many values together, field by field: a result has hundreds of thousands."""

    def __init__(self, key_ids: Iterable[str]) -> None:
        """Take the ids that are not masked."""
        self._bare: set[type] = set()
        """The types that contain no text."""
        self._texts = {key_id: key_id for key_id in key_ids if "@" in key_id}

    def each(self, values: Many) -> Many:
        """Return the values, of any type, masked; a value that several share is masked once."""
        kinds = set(map(type, values))
        if kinds <= self._bare:
            return values
        if kinds <= _TEXTS:
            return [self._text(value) if value and "@" in value else value for value in values]
        distinct = {id(value): value for value in values}
        masked: dict[int, Any] = {}
        for kind in kinds:
            held = {number: value for number, value in distinct.items() if type(value) is kind}
            masked |= zip(held, self._inside(kind, list(held.values())), strict=True)
        return [masked[id(value)] for value in values]

    def _inside(self, kind: Any, values: Many) -> Many:  # noqa: ANN401 - a type
        """Mask values of one type; an enum's value contains no address."""
        if is_dataclass(kind):
            names = [field.name for field in fields(kind)]
            columns = [self.each(list(map(attrgetter(name), values))) for name in names]
            made: Any = kind
            return [made(**dict(zip(names, row, strict=True))) for row in _rows(columns)]
        if hasattr(kind, "_make"):
            return list(map(kind._make, _rows(map(self.each, _rows(values)))))
        if kind is dict:
            masked = (self.each(list(value.values())) for value in values)
            return [dict(zip(value, row, strict=True)) for value, row in _rows((values, masked))]
        if kind in {tuple, frozenset}:
            parts = iter(self.each([part for value in values for part in value]))
            return [kind(islice(parts, len(value))) for value in values]
        if kind is str:
            return self.each(values)
        self._bare.add(kind)
        return values

    def _text(self, text: str) -> str:
        masked = self._texts.get(text)
        if masked is None:
            masked = self._texts[text] = without_addresses_in(text)
        return masked


def _rows(columns: Iterable[Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """Turn columns into rows, and rows into columns."""
    return zip(*columns, strict=True)


def _key_ids(result: ScanResult) -> Iterator[str]:
    for finding in result.findings:
        yield finding.key.id
    if result.history:
        for standing in result.history.standings:
            yield standing.case.key_id
        for case in result.history.closed:
            yield case.key_id


def _masked(match: re.Match[str]) -> str:
    """Mask the word if it is an address: all of the local part but its first character."""
    local, _, domain = match[0].rpartition("@")
    if not local or not domain:
        return match[0]
    first = local.lstrip('"')[:1]
    return f"{first}***@{domain}"
