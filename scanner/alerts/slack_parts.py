"""Elements of Slack's Block Kit, their weight, and text that Slack does not interpret. Pure.

https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from scanner.alerts.wording import plain

Block = dict[str, Any]
Element = dict[str, Any]

_HEAVY: Final = {"&": 4, "<": 3, ">": 3}
"""What Slack adds to these characters: it counts them escaped."""
BLOCK_WEIGHT: Final = 125
"""What Slack adds for each block."""
_ESCAPES: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "@\u2060"))
"""In this order, so that no character is escaped twice."""


def rich(*elements: Element) -> Block:
    """Return a block of elements, in which Slack interprets no markup."""
    return {"type": "rich_text", "elements": list(elements)}


def section(*elements: Element) -> Element:
    """Return a paragraph."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(sections: Iterable[Element]) -> Element:
    """Return a list of paragraphs."""
    return {"type": "rich_text_list", "style": "bullet", "elements": list(sections)}


def styled(text: str, **style: bool) -> Element:
    """Return text, in the styles that are set: bold, italic, strike, code."""
    chosen = {name: True for name, is_set in style.items() if is_set}
    return {"type": "text", "text": text or " ", **({"style": chosen} if chosen else {})}


def plain_text(text: str, limit: int) -> Element:
    """Return a plain text object of at most `limit` characters."""
    return {"type": "plain_text", "text": plain(text, limit), "emoji": False}


def escaped(text: str) -> str:
    """Return text escaped for mrkdwn, so that Slack interprets no markup."""
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text


def weight(blocks: Sequence[Block]) -> int:
    """Return an upper bound of the size that Slack computes for these blocks, in characters."""
    text = json.dumps(blocks, ensure_ascii=False)
    more = sum(many * text.count(character) for character, many in _HEAVY.items())
    return len(text) + more + BLOCK_WEIGHT * len(blocks)
