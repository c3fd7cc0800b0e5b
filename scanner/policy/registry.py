"""The registry of facts: what a fact is, and where each one is entered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final

from scanner.finding import Value
from scanner.inventory import Collection, Unknown
from scanner.policy.subject import Subject

__all__ = ["FACTS", "Fact", "FactType", "Given", "Value", "Values", "fact"]


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

    `needs` are the collections to ask for beyond projects and keys, which every scan lists. `note`
    says where a value comes from that could come from several places. `words` say a value for
    people: a template, or a sentence for each value; "" if the name and the value will do.
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


_registry: dict[str, Fact] = {}
FACTS: Final[Mapping[str, Fact]] = MappingProxyType(_registry)


class Values(dict[str, Value]):
    """The facts of one key by name, each read when it is first asked for."""

    __slots__ = ("subject",)

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject

    def __missing__(self, name: str) -> Value:
        """Read a fact, once."""
        value = self[name] = _registry[name].read(self.subject)
        return value

    def source(self, name: str) -> str:
        """Say who told the value of a fact, where several could have."""
        note = _registry[name].note
        return note(self.subject) if note else ""


class Given(Values):
    """The facts of a made-up key: what is not given is unknown."""

    __slots__ = ()

    def __init__(self, facts: Mapping[str, Value]) -> None:
        dict.__init__(self, facts)

    def __missing__(self, name: str) -> Value:
        """Say that the fact was not given."""
        return Unknown(reason=f"the example does not give '{name}'")

    def source(self, _name: str) -> str:
        """Nobody told a made-up value."""
        return ""


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
) -> Callable[[_Reader], _Reader]:
    """Enter the decorated function into the registry; an enum stands for a CHOICE of its values."""

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
            choices=() if isinstance(of, FactType) else tuple(choice.value for choice in of),
        )
        return read

    return enter
