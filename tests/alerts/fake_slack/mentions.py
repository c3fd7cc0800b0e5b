"""Whom a message would notify and whether its links would unfurl, as Slack reads it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_MARKUP: Final = re.compile(
    r"<!(channel|here|everyone|group)(?:\|[^>]*)?>"
    r"|<@([UW][A-Z0-9]+)(?:\|[^>]*)?>"
    r"|<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>"
)
_BARE: Final = re.compile(r"(?<![\w.&<|])@([\w.-]*\w)")
_ADDRESS: Final = re.compile(r"https?://[^\s<>|]")
_ALL: Final = frozenset({"channel", "here", "everyone"})
_IN_RICH_TEXT: Final = {"user": "user_id", "usergroup": "usergroup_id", "broadcast": "range"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """How a message asked to be read: its `mrkdwn`, `parse`, `link_names` and unfurl flags."""

    is_mrkdwn: bool = True
    is_linking: bool = False
    is_unfurling: bool = True

    def pings(self, text: str, blocks: Iterable[Any], users: Mapping[str, str]) -> tuple[str, ...]:
        """Return whom a message notifies, each once; `users` are ids by name.

        A bare @channel counts where names are linked, and in mrkdwn that is not verbatim: of it
        Slack says that "certain mentions will be automatically parsed".
        """
        found = [*(_markup(text) if self.is_mrkdwn else ())]
        if self.is_linking:
            found += _bare(text, users)
        for node in _nodes(list(blocks)):
            kind = node.get("type")
            if kind in _IN_RICH_TEXT:
                found.append(str(node[_IN_RICH_TEXT[kind]]))
            elif kind in {"mrkdwn", "markdown"}:
                found += _markup(node["text"])
                if self.is_linking or not node.get("verbatim"):
                    found += _bare(node["text"], users if self.is_linking else {})
        return tuple(dict.fromkeys(found))

    def unfurls(self, text: str, blocks: Iterable[Any]) -> bool:
        """Return whether Slack would fetch and show a linked page; it does unless told not to."""
        if not self.is_unfurling:
            return False
        nodes = list(_nodes(list(blocks)))
        written = [node["text"] for node in nodes if node.get("type") in {"mrkdwn", "markdown"}]
        links = [node["url"] for node in nodes if node.get("type") == "link"]
        return any(_ADDRESS.search(one) for one in (text, *written, *links))


def _markup(text: str) -> Iterator[str]:
    for everyone, user, group in _MARKUP.findall(text):
        yield everyone or user or group


def _bare(text: str, users: Mapping[str, str]) -> Iterator[str]:
    for name in _BARE.findall(text):
        if name in _ALL:
            yield name
        elif name in users:
            yield users[name]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)
    elif isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _nodes(item)
