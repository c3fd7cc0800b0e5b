"""Reading a message of Slack's as a person does."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class HasBlocks(Protocol):
    """A message, sent or about to be."""

    @property
    def blocks(self) -> tuple[Mapping[str, Any], ...]: ...


def shown(message: HasBlocks) -> str:
    """All that a message shows, a line for each piece of text."""
    return "\n".join(_texts(list(message.blocks)))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for name in ("text", "elements"):
            yield from _texts(value.get(name))
