"""E-mail addresses masked in a result, for reports that go to many: `a***@example.com`. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from operator import is_
from typing import Any, Final, TypeVar

from scanner.result import ScanResult

_T = TypeVar("_T")

# A run of what an address is made of, with a quoted local part before it: `"ada ito"@example.com`.
_WORD: Final = re.compile(r"""(?:"[^"]*"(?=@))?[^\s<>"'(),;:][^\s<>"(),;:]*""")


def without_addresses(result: ScanResult) -> ScanResult:
    """Return the result with every address in every text masked.

    Only the ids of keys stay whatever they are: fingerprints are made of them.
    """
    return _Mask(result).of(result)


class _Mask:
    """Walks through values, whatever they are made of; what many share is masked once."""

    def __init__(self, result: ScanResult) -> None:
        self._texts = {key_id: key_id for key_id in _key_ids(result) if "@" in key_id}
        self._done: dict[int, Any] = {}
        self._bare: set[type] = set()
        """The types that hold no text."""

    def of(self, value: _T) -> _T:
        """Return the value with its texts masked: itself, if it holds no address."""
        masked: _T = self._inside(value)
        self._done[id(value)] = masked
        return masked

    def _text(self, text: str) -> str:
        masked = self._texts.get(text)
        if masked is None:
            masked = self._texts[text] = _WORD.sub(_masked, text)
        return masked

    def _inside(self, value: Any) -> Any:  # noqa: ANN401 - whatever a result is made of
        kind = type(value)
        if isinstance(value, tuple):
            parts = self._each(value)
            if all(map(is_, parts, value)):
                return value
            return kind._make(parts) if hasattr(kind, "_make") else tuple(parts)
        if isinstance(value, frozenset):
            return frozenset(self._each(value))
        if isinstance(value, dict):
            return dict(zip(value, self._each(value.values()), strict=True))
        if is_dataclass(value):
            names = [field.name for field in fields(value)]
            parts = self._each([getattr(value, name) for name in names])
            return kind(**dict(zip(names, parts, strict=True)))
        self._bare.add(kind)
        return value

    def _each(self, values: Iterable[Any]) -> list[Any]:
        """Mask each; what surely holds no address, or was masked before, takes the short way."""
        text, bare, done, of = self._text, self._bare, self._done, self.of
        return [
            (text(value) if "@" in value else value)
            if (kind := type(value)) is str  # an enum's value holds none
            else value
            if kind in bare
            else (done.get(id(value)) or of(value))
            for value in values
        ]


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
