"""What Slack accepts as a message's blocks: https://docs.slack.dev/reference/block-kit/blocks."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.alerts.fake_slack.request import SlackError
from tests.alerts.fake_slack.rich_text import RICH_TEXT_ELEMENTS, characters
from tests.alerts.fake_slack.schema import (
    Check,
    array,
    boolean,
    choice,
    complain,
    one_of,
    record,
    string,
    url,
)

MAX_BLOCKS: Final = 50
MAX_JSON: Final = 13_000
MAX_PRICED_TEXT: Final = 13_200
BLOCK_PRICE: Final = 125
"""In characters. A divider was measured to cost as much (slackapi/bolt-js#2509)."""
MAX_TABLE: Final = 10_000
MAX_MARKDOWN: Final = 12_000


def _plain(most: int) -> Check:
    return one_of({"plain_text": record({"text": string(most)}, {"emoji": boolean})})


def _any_text(most: int) -> Check:
    return one_of(
        {
            "plain_text": record({"text": string(most)}, {"emoji": boolean}),
            "mrkdwn": record({"text": string(most)}, {"verbatim": boolean}),
        }
    )


_BLOCK_ID: Final[Mapping[str, Check]] = {"block_id": string(255)}
_CONFIRM: Final = record(
    {"title": _plain(100), "text": _any_text(300), "confirm": _plain(30), "deny": _plain(30)},
    {"style": choice("primary", "danger")},
    typed=False,
)
_BUTTON: Final = record(
    {"text": _plain(75)},
    {
        "action_id": string(255),
        "url": url(),
        "value": string(2000),
        "style": choice("primary", "danger"),
        "confirm": _CONFIRM,
        "accessibility_label": string(75),
    },
)
_IMAGE: Final = record({"image_url": url(), "alt_text": string(2000)})
_SECTION: Final = record(
    {},
    {
        "text": _any_text(3000),
        "fields": array(_any_text(2000), 10),
        "accessory": one_of({"button": _BUTTON, "image": _IMAGE}),
        "expand": boolean,
        **_BLOCK_ID,
    },
)
_CONTEXT_ELEMENT: Final = one_of(
    {
        "plain_text": record({"text": string(3000)}, {"emoji": boolean}),
        "mrkdwn": record({"text": string(3000)}, {"verbatim": boolean}),
        "image": _IMAGE,
    }
)
_CELL: Final = one_of(
    {
        "raw_text": record({"text": string(MAX_TABLE)}),
        "rich_text": record({"elements": RICH_TEXT_ELEMENTS}, _BLOCK_ID),
    }
)
_COLUMN: Final = record(
    {}, {"align": choice("left", "center", "right"), "is_wrapped": boolean}, typed=False
)
_TABLE: Final = record(
    {"rows": array(array(_CELL, 20), 100)},
    {"column_settings": array(_COLUMN, 20), **_BLOCK_ID},
)


def _section(value: Any, at: str, found: list[str]) -> None:
    _SECTION(value, at, found)
    if not {"text", "fields"} & value.keys():
        complain(found, "must define either `text` or `fields`", at)


_BLOCK: Final = one_of(
    {
        "header": record({"text": _plain(150)}, _BLOCK_ID),
        "section": _section,
        "divider": record({}, _BLOCK_ID),
        "context": record({"elements": array(_CONTEXT_ELEMENT, 10)}, _BLOCK_ID),
        "actions": record({"elements": array(one_of({"button": _BUTTON}), 25)}, _BLOCK_ID),
        "image": record(
            {"image_url": url(), "alt_text": string(2000)}, {"title": _plain(2000), **_BLOCK_ID}
        ),
        "markdown": record({"text": string(MAX_MARKDOWN)}, _BLOCK_ID),
        "rich_text": record({"elements": RICH_TEXT_ELEMENTS}, _BLOCK_ID),
        "table": _TABLE,
    }
)
_BLOCKS: Final = array(_BLOCK, MAX_BLOCKS, least=0)


def check_blocks(blocks: Any) -> None:
    """Raise SlackError as Slack refuses blocks: too long in all, or invalid with the places."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    found = problems(blocks)
    if found:
        messages = [f"[ERROR] {problem}" for problem in found]
        raise SlackError("invalid_blocks", errors=found, response_metadata={"messages": messages})
    if is_too_long(blocks):
        raise SlackError("msg_blocks_too_long")


def problems(blocks: list[Any]) -> list[str]:
    """Return what is wrong with some blocks, each with its JSON pointer."""
    found: list[str] = []
    _BLOCKS(blocks, "/blocks", found)
    if found:
        return found
    found.extend(_doubles(blocks))
    tables = [place for place, block in enumerate(blocks) if block["type"] == "table"]
    for place in tables[1:]:
        complain(found, "only_one_table_allowed", f"/blocks/{place}")
    if sum(characters(blocks[place]["rows"]) for place in tables) > MAX_TABLE:
        complain(found, f"no more than {MAX_TABLE} characters allowed over all cells", "/blocks")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MAX_MARKDOWN:
        complain(found, f"must be less than {MAX_MARKDOWN + 1} characters", "/blocks")
    return found


def _doubles(blocks: list[Any]) -> Iterator[str]:
    names = Counter(block["block_id"] for block in blocks if "block_id" in block)
    for name in (name for name, times in names.items() if times > 1):
        yield f"`block_id` {name} already exists [json-pointer:/blocks]"
    for place, block in enumerate(blocks):
        actions = Counter(
            element["action_id"] for element in block.get("elements", []) if "action_id" in element
        )
        for name in (name for name, times in actions.items() if times > 1):
            yield f"`action_id` {name} already exists [json-pointer:/blocks/{place}/elements]"


def is_too_long(blocks: list[Any]) -> bool:
    """Whether Slack would take all blocks together for too long; its rule is not documented.

    Two readings of what people measured, either of which may refuse: the blocks as JSON, and their
    text with a price for each block. Text counts with `&`, `<` and `>` escaped.
    """
    escaped = _escaped(blocks)
    written = json.dumps(escaped, ensure_ascii=False, separators=(",", ":"))
    text = sum(map(len, _texts(escaped)))
    return len(written) > MAX_JSON or text + BLOCK_PRICE * len(blocks) > MAX_PRICED_TEXT


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_raw = value.get("type") not in {"mrkdwn", "markdown"}
    return {
        name: _entities(item) if name == "text" and is_raw else _escaped(item)
        for name, item in value.items()
    }


def _entities(value: Any) -> Any:
    if not isinstance(value, str):
        return _escaped(value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)
