"""The fake Slack takes each limit to the letter and refuses one more."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.alerts.fake_slack.driving import Driven, refused, stage

Block = dict[str, Any]


@pytest.fixture(scope="module")
def slack() -> Iterator[Driven]:
    with stage() as play:
        yield play()


def plain(length: int) -> Block:
    return {"type": "plain_text", "text": "a" * length}


def mrkdwn(length: int) -> Block:
    return {"type": "mrkdwn", "text": "a" * length}


def header(length: int) -> list[Block]:
    return [{"type": "header", "text": plain(length)}]


def section(length: int) -> list[Block]:
    return [{"type": "section", "text": mrkdwn(length)}]


def fields(count: int, length: int = 1) -> list[Block]:
    return [{"type": "section", "fields": [mrkdwn(length)] * count}]


def context(count: int) -> list[Block]:
    return [{"type": "context", "elements": [plain(1)] * count}]


def actions(count: int, **changes: Any) -> list[Block]:
    button = {"type": "button", "text": plain(1), **changes}
    return [{"type": "actions", "elements": [button] * count}]


def address(length: int) -> str:
    return "https://a.example/".ljust(length, "a")


def table(rows: int, columns: int = 1) -> list[Block]:
    cell = {"type": "raw_text", "text": "a"}
    return [{"type": "table", "rows": [[cell] * columns] * rows}]


def cells(*lengths: int) -> list[Block]:
    row = [{"type": "raw_text", "text": "a" * length} for length in lengths]
    return [{"type": "table", "rows": [row]}]


def rich(*elements: Any) -> list[Block]:
    return [{"type": "rich_text", "elements": list(elements)}]


def run(*elements: Any) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


WORD = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    ("blocks", "edge", "told"),
    [
        (lambda n: [{"type": "divider"}] * n, 50, "no more than 50 items allowed [/blocks]"),
        (header, 150, "must be less than 151 characters [/blocks/0/text/text]"),
        (section, 3000, "must be less than 3001 characters [/blocks/0/text/text]"),
        (fields, 10, "no more than 10 items allowed [/blocks/0/fields]"),
        (
            lambda n: fields(1, n),
            2000,
            "must be less than 2001 characters [/blocks/0/fields/0/text]",
        ),
        (context, 10, "no more than 10 items allowed [/blocks/0/elements]"),
        (actions, 25, "no more than 25 items allowed [/blocks/0/elements]"),
        (
            lambda n: actions(1, text=plain(n)),
            75,
            "must be less than 76 characters [/blocks/0/elements/0/text/text]",
        ),
        (
            lambda n: actions(1, url=address(n)),
            3000,
            "must be less than 3001 characters [/blocks/0/elements/0/url]",
        ),
        (
            lambda n: actions(1, action_id="a" * n),
            255,
            "must be less than 256 characters [/blocks/0/elements/0/action_id]",
        ),
        (
            lambda n: [{"type": "divider", "block_id": "a" * n}],
            255,
            "must be less than 256 characters [/blocks/0/block_id]",
        ),
        (table, 100, "no more than 100 items allowed [/blocks/0/rows]"),
        (lambda n: table(1, n), 20, "no more than 20 items allowed [/blocks/0/rows/0]"),
        (
            lambda n: cells(5000, n - 5000),
            10_000,
            "no more than 10000 characters allowed over all cells [/blocks]",
        ),
    ],
)
def test_each_limit_holds_to_the_letter(
    slack: Driven, blocks: Callable[[int], list[Block]], edge: int, told: str
) -> None:
    slack.post(blocks=blocks(edge))
    message = told.replace("[", "[json-pointer:")
    with refused(
        "invalid_blocks",
        errors=[message],
        response_metadata={"messages": [f"[ERROR] {message}"]},
    ):
        slack.post(blocks=blocks(edge + 1))


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "poem"}, "unsupported type: poem [/type]"),
        ({"type": "divider", "colour": "red"}, "invalid additional property: colour []"),
        ({"type": "header", "text": mrkdwn(1)}, "unsupported type: mrkdwn [/text/type]"),
        (*section(0), "must be more than 0 characters [/text/text]"),
        ({"type": "section"}, "must define either `text` or `fields` []"),
        ({"type": "context"}, "missing required field: elements []"),
        (*actions(1, url="no address"), "must be a valid URL [/elements/0/url]"),
        (*actions(1, url="https://"), "must be a valid URL [/elements/0/url]"),
        (*actions(2, action_id="same"), "`action_id` same already exists [/elements]"),
        ({"type": "table", "rows": [[]]}, "no less than 1 items required [/rows/0]"),
        (*rich(run()), "no less than 1 items required [/elements/0/elements]"),
        (*rich(WORD), "unsupported type: text [/elements/0/type]"),
        (
            *rich({"type": "rich_text_list", "style": "star", "elements": [run(WORD)]}),
            "must be one of bullet, ordered [/elements/0/style]",
        ),
        (
            *rich({"type": "rich_text_preformatted", "elements": [{"type": "user"}]}),
            "unsupported type: user [/elements/0/elements/0/type]",
        ),
        (
            *rich(run({"type": "text", "text": ""})),
            "must be more than 0 characters [/elements/0/elements/0/text]",
        ),
        (
            *rich(run({**WORD, "style": {"loud": True}})),
            "invalid additional property: loud [/elements/0/elements/0/style]",
        ),
    ],
)
def test_a_wrong_block_is_named(slack: Driven, block: Block, told: str) -> None:
    message = told.replace("[", "[json-pointer:/blocks/1")
    with refused("invalid_blocks", errors=[message]):
        slack.post(blocks=[{"type": "divider"}, block])


def test_two_blocks_do_not_share_an_id_and_two_tables_not_a_message(slack: Driven) -> None:
    same = [{"type": "divider", "block_id": "same"}] * 2
    with refused(
        "invalid_blocks", errors=["`block_id` same already exists [json-pointer:/blocks]"]
    ):
        slack.post(blocks=same)
    with refused("invalid_blocks", errors=["only_one_table_allowed [json-pointer:/blocks/1]"]):
        slack.post(blocks=table(1) * 2)


def test_rich_text_of_every_kind_is_taken(slack: Driven) -> None:
    parts = [
        {**WORD, "style": {"bold": True, "code": True}},
        {"type": "link", "url": "https://a.example/", "text": "a"},
        {"type": "emoji", "name": "warning"},
        {"type": "user", "user_id": "U1"},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "channel", "channel_id": "C1"},
        {"type": "broadcast", "range": "here"},
        {"type": "date", "timestamp": 1, "format": "{date}", "fallback": "then"},
    ]
    slack.post(
        blocks=rich(
            run(*parts),
            {"type": "rich_text_quote", "elements": parts},
            {"type": "rich_text_list", "style": "ordered", "elements": [run(WORD)], "indent": 1},
            {"type": "rich_text_preformatted", "elements": [WORD], "border": 0},
        )
    )


def test_text_is_of_forty_thousand_characters(slack: Driven) -> None:
    slack.post(text="a" * 40_000)
    with refused("msg_too_long"):
        slack.post(text="a" * 40_001)
    with refused("no_text"):
        slack.client().api_call("chat.postMessage", json={"channel": "C1", "text": " "})


def test_all_blocks_as_json_have_a_limit(slack: Driven) -> None:
    def padded(length: int) -> list[Block]:
        return rich(run(*[WORD] * 400, {"type": "text", "text": "a" * length}))

    spare = 13_000 - len(json.dumps(padded(0), separators=(",", ":")))
    slack.post(blocks=padded(spare))
    with refused("msg_blocks_too_long"):
        slack.post(blocks=padded(spare + 1))


def test_all_text_has_a_limit_and_each_block_its_price(slack: Driven) -> None:
    slack.post(blocks=header(139) * 50)
    with refused("msg_blocks_too_long"):
        slack.post(blocks=header(140) * 50)


def test_text_counts_escaped_unless_it_is_markup(slack: Driven) -> None:
    hostile = {"type": "plain_text", "text": "<" * 3000}
    slack.post(blocks=[{"type": "section", "text": hostile}])
    slack.post(blocks=[{"type": "section", "text": {**hostile, "type": "mrkdwn"}}] * 2)
    with refused("msg_blocks_too_long"):
        slack.post(blocks=[{"type": "section", "text": hostile}] * 2)


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"event_type": "scan"}, "invalid_metadata_format"),
        ({"event_type": "scan", "event_payload": []}, "invalid_metadata_format"),
        ({"event_type": "scan", "event_payload": {"a": "a" * 8000}}, "metadata_too_large"),
    ],
)
def test_metadata_is_checked(slack: Driven, metadata: Block, code: str) -> None:
    with refused(code):
        slack.post(metadata=metadata)


def test_blocks_that_are_no_list_have_no_format(slack: Driven) -> None:
    with refused("invalid_blocks_format"):
        slack.post(blocks="[")
