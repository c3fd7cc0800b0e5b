"""The registry of facts, and the decorator that registers them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final

from scanner.collection import Collection
from scanner.finding import Value
from scanner.policy.subject import Subject

__all__ = ["FACTS", "Fact", "FactType", "Value", "fact"]


class FactType(Enum):
    """The type of a fact's value; it decides which operators apply."""

    BOOLEAN = auto()
    CHOICE = auto()
    DURATION = auto()
    NUMBER = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact's name, type, meaning and source; `choices` are all values of a CHOICE.

    `needs` are the collections beyond projects and keys, which every scan lists. `note` returns the
    source of a value that can have several. `words` describe a value to readers: a template, or a
    text for each value; "" if name and value suffice. `decimals`: a NUMBER that can be a fraction.
    """

    name: str
    type: FactType
    meaning: str
    source: str
    read: Callable[[Subject], Value]
    needs: frozenset[Collection] = frozenset()
    choices: tuple[str, ...] = ()
    note: Callable[[Subject], str] | None = None
    words: str | Mapping[str, str] = ""
    decimals: bool = False


_registry: dict[str, Fact] = {}
FACTS: Final[Mapping[str, Fact]] = MappingProxyType(_registry)


_Reader = Callable[[Subject], Value]
_Needs = tuple[Collection, ...]


def fact(  # noqa: PLR0913 - all that a fact is made of
    name: str,
    of: FactType | type[StrEnum],
    *,
    meaning: str,
    source: str,
    needs: _Needs = (),
    note: Callable[[Subject], str] | None = None,
    words: str | Mapping[str, str] = "",
    decimals: bool = False,
) -> Callable[[_Reader], _Reader]:
    """Register the decorated function; an enum as `of` is a CHOICE of its values."""

    def enter(read: _Reader) -> _Reader:
        _registry[name] = Fact(
            name=name,
            type=of if isinstance(of, FactType) else FactType.CHOICE,
            meaning=meaning,
            source=source,
            read=read,
            needs=frozenset(needs),
            note=note,
            words=words,
            decimals=decimals,
            choices=() if isinstance(of, FactType) else tuple(choice.value for choice in of),
        )
        return read

    return enter
