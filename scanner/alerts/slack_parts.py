"""What Slack's Block Kit is made of, what it weighs, and text that Slack obeys nowhere. Pure.

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
"""In this order, so that nothing is escaped twice."""


def rich(*elements: Element) -> Block:
    """Return a block of elements, in which text is nothing but text."""
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
    """Return text for where Slack takes nothing else, at most so long."""
    return {"type": "plain_text", "text": plain(text, limit), "emoji": False}


def escaped(text: str) -> str:
    """Return text of which Slack's mrkdwn makes nothing but text."""
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text


def weight(blocks: Sequence[Block]) -> int:
    """Return at least what Slack finds these blocks to measure, in characters."""
    text = json.dumps(blocks, ensure_ascii=False)
    more = sum(many * text.count(character) for character, many in _HEAVY.items())
    return len(text) + more + BLOCK_WEIGHT * len(blocks)
