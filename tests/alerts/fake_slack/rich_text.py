"""What rich text may hold: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block."""

from collections.abc import Mapping
from typing import Any, Final

from tests.alerts.fake_slack.schema import (
    Check,
    array,
    boolean,
    choice,
    number,
    one_of,
    record,
    string,
    url,
)

MANY: Final = 10_000
"""Slack tells no limit; the whole message has one."""

_ID: Final = string(255)
_STYLE: Final = record(
    {},
    dict.fromkeys(
        ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight"), boolean
    ),
    typed=False,
)
_STYLED: Final[Mapping[str, Check]] = {"style": _STYLE}
_TEXT: Final = record({"text": string(MANY * 10)}, _STYLED)
_LINK: Final = record({"url": url()}, {"text": string(MANY), "unsafe": boolean, **_STYLED})

_ELEMENT: Final = one_of(
    {
        "text": _TEXT,
        "link": _LINK,
        "emoji": record(
            {"name": string(255)},
            {"unicode": string(255), "skin_tone": number(6, 1), **_STYLED},
        ),
        "user": record({"user_id": _ID}, _STYLED),
        "usergroup": record({"usergroup_id": _ID}, _STYLED),
        "channel": record({"channel_id": _ID}, _STYLED),
        "broadcast": record({"range": choice("here", "channel", "everyone")}, _STYLED),
        "date": record(
            {"timestamp": number(10**11), "format": string(255)},
            {"url": url(), "fallback": string(MANY), **_STYLED},
        ),
    }
)
_BORDER: Final = number(1)
_SECTION: Final = record({"elements": array(_ELEMENT, MANY)})
_LIST: Final = record(
    {
        "style": choice("bullet", "ordered"),
        "elements": array(one_of({"rich_text_section": _SECTION}), MANY),
    },
    {"indent": number(8), "offset": number(MANY), "border": _BORDER},
)
_PREFORMATTED: Final = record(
    {"elements": array(one_of({"text": _TEXT, "link": _LINK}), MANY)}, {"border": _BORDER}
)
_QUOTE: Final = record({"elements": array(_ELEMENT, MANY)}, {"border": _BORDER})

RICH_TEXT_ELEMENTS: Final = array(
    one_of(
        {
            "rich_text_section": _SECTION,
            "rich_text_list": _LIST,
            "rich_text_preformatted": _PREFORMATTED,
            "rich_text_quote": _QUOTE,
        }
    ),
    MANY,
)


def characters(value: Any) -> int:
    """Count the characters that a cell, an element or a list of them shows."""
    if isinstance(value, list):
        return sum(map(characters, value))
    if not isinstance(value, dict):
        return 0
    shown = value.get("text", value.get("url", ""))
    own = len(shown) if isinstance(shown, str) else 0
    return own + characters(value.get("elements", []))
