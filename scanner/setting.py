"""One setting as it is declared, and what all of them are for one command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from scanner.addresses import without_user
from scanner.durations import format_duration
from scanner.kinds import Kind
from scanner.secret import Secret

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)


def spelled(value: object) -> str:
    """Spell a value as an option takes it; several are separated by blanks."""
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return format_duration(value)
        case float():
            return f"{value:g}"
        case tuple():
            return " ".join(str(one) for one in value)
        case Secret():
            return without_user(value.reveal())
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[Value_co]):
    """`name` is its path in the file, sections before a dot; "" where the file has it not.

    `default` is what it is where nobody says anything; `unset` says that in words.
    """

    name: str
    variable: str
    flag: str
    kind: Kind[Value_co]
    default: Value_co
    help: str
    unset: str = ""
    example: str = ""
    """As it stands in the file that `keyvigil init` writes; "" writes the default."""

    @property
    def otherwise(self) -> str:
        """What it is where nobody says anything, in words."""
        return self.unset or spelled(self.default)

    @property
    def parameter(self) -> str:
        """The option's name among a command's parameters."""
        return self.flag.lstrip("-").replace("-", "_")


def _nothing(_setting: Setting[Any]) -> str:
    return "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What each setting is for one command: by flag, environment, file or default, in this order.

    `origin` says which: --flag, NAME, file:line:column or default.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    origin: Callable[[Setting[Any]], str] = _nothing
    config: Path | None = None

    def __getitem__(self, setting: Setting[Value]) -> Value:
        """Return what a setting is."""
        return cast("Value", self.values.get(setting.parameter, setting.default))

    def is_said(self, setting: Setting[Any]) -> bool:
        """Whether a flag or the environment says it: that beats all of the file."""
        return self.origin(setting) in {setting.flag, setting.variable}
