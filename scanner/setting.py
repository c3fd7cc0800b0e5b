"""The declaration of one setting, and the values of all settings for one command."""

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
    """Return a value as an option takes it; several are separated by blanks."""
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
    """`name` is its path in the file, sections before a dot; "" if the file cannot set it.

    `default` is its value if it is not set; `unset` describes that in words.
    """

    name: str
    variable: str
    flag: str
    kind: Kind[Value_co]
    default: Value_co
    help: str
    unset: str = ""
    example: str = ""
    """Its value in the file that `keyvigil init` writes; "": the default."""

    @property
    def otherwise(self) -> str:
        """The value that applies if it is not set, in words."""
        return self.unset or spelled(self.default)

    @property
    def parameter(self) -> str:
        """The option's name among a command's parameters."""
        return self.flag.lstrip("-").replace("-", "_")


def _nothing(_setting: Setting[Any]) -> str:
    return "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The settings of one command: from flag, environment, file or default, in this order.

    `origin` returns the source of a setting: --flag, NAME, file:line:column or default.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    origin: Callable[[Setting[Any]], str] = _nothing
    config: Path | None = None

    def __getitem__(self, setting: Setting[Value]) -> Value:
        """Return the value of a setting."""
        return cast("Value", self.values.get(setting.parameter, setting.default))

    def is_said(self, setting: Setting[Any]) -> bool:
        """Whether a flag or the environment sets it: these override the file."""
        return self.origin(setting) in {setting.flag, setting.variable}
