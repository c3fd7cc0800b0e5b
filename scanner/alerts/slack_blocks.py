"""An announcement as Slack's Block Kit, within every limit by construction. Pure.

Untrusted text is only in `rich_text` and `plain_text`, where Slack interprets no markup; in a
message's plain `text` it is escaped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from scanner.alerts.slack_parts import (
    BLOCK_WEIGHT,
    Block,
    Element,
    bullets,
    escaped,
    plain_text,
    rich,
    section,
    styled,
    weight,
)
from scanner.alerts.text import in_lines, named_in_lines
from scanner.alerts.wording import (
    SHAPES,
    by_rule,
    details,
    headline,
    is_grave,
    named,
    page_link,
    plain,
    scanned,
    verdict,
    warnings,
)
from scanner.announcement import BELOW, NEWS, Announcement, Item, Route, Sink, Topic

TOP: Final = 10
"""Changes in the message itself; the others are in its thread."""
FEW: Final = 5
"""Maximum findings of each topic below the changes."""
MOST_IN_THREAD: Final = 5
"""Messages; findings that do not fit are counted, and are in the report."""
MOST_WEIGHT: Final = 9_000
_TEXT: Final = 3_000
_NONE: Final = frozenset[str]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Blocks, the `text` of notifications, and the `fallback` sent if Slack rejects the blocks.

    `named` are the findings that the blocks name, `fallback_named` those of the fallback.
    """

    text: str
    blocks: tuple[Block, ...]
    fallback: str
    named: frozenset[str] = frozenset()
    fallback_named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The options of a route: user group to mention, link to the page, and recipient.

    `is_personal`: sent to the owner of the keys. `absent`: the address of an owner without a Slack
    account, whose keys are announced in the channel.
    """

    mention: str = ""
    report: str = ""
    has_thread: bool = True
    is_personal: bool = False
    absent: str = ""


def style_of(route: Route, report: str, *, has_owner: bool) -> Style:
    """Return the style of a route's messages; `has_owner`: they are sent to the owner."""
    return Style(
        mention=route.mention,
        report=report,
        has_thread=route.sink is not Sink.SLACK_WEBHOOK,
        is_personal=has_owner and route.sink is Sink.SLACK_OWNERS,
    )


def messages(announcement: Announcement, style: Style) -> tuple[Message, ...]:
    """Return the message for the channel, and those for its thread, if there is one."""
    items = announcement.of(*NEWS)
    room = fitting(announcement, style)
    first = parent(announcement, style, room)
    below = (item for topic in BELOW for item in announcement.of(topic)[room.few :])
    rest = [*items[room.news :], *below]
    if not style.has_thread:
        return (first,)
    return first, *_thread(announcement, rest)


class Room(NamedTuple):
    """How many changes fit into a message, and how many of each topic below them."""

    news: int
    few: int


def fitting(announcement: Announcement, style: Style) -> Room:
    """Return what fits into the message for the channel; changes are reduced first."""
    news, few = min(TOP, len(announcement.of(*NEWS))), FEW
    while news or few:
        room = Room(news, few)
        if weight(list(_parent(announcement, style, room, _NONE))) <= MOST_WEIGHT:
            return room
        news, few = max(news - 1, 0), few if news else few - 1
    return Room(0, 0)


def parent(
    announcement: Announcement,
    style: Style,
    room: Room,
    resolved: frozenset[str] = _NONE,
) -> Message:
    """Return the message for the channel with as many findings as `room` allows.

    `resolved` are the fingerprints of findings resolved since: they are struck out.
    """
    shown = announcement.of(*NEWS)[: room.news]
    fallback, most = _in_text(announcement)
    return Message(
        text=f"{escaped(headline(announcement))}. {escaped(verdict(announcement))}",
        blocks=tuple(_parent(announcement, style, room, resolved)),
        fallback=fallback,
        named=_names([*shown, *(i for topic in BELOW for i in announcement.of(topic)[: room.few])]),
        fallback_named=named_in_lines(announcement, most),
    )


def _names(items: Iterable[Item]) -> frozenset[str]:
    return frozenset(item.fingerprint for item in items)


def _in_text(announcement: Announcement) -> tuple[str, int]:
    """Return the fallback text, and the maximum findings of each kind in it."""
    for most in (TOP, FEW, 2, 0):
        text = escaped("\n".join([headline(announcement), *in_lines(announcement, most)]))
        if len(text) <= _TEXT:
            return text, most
    return escaped(headline(announcement)), 0


def _parent(
    announcement: Announcement, style: Style, room: Room, resolved: frozenset[str]
) -> Iterator[Block]:
    yield {"type": "header", "text": plain_text(headline(announcement), 150)}
    yield rich(section(styled(_opening(announcement, style))))
    above = list(warnings(announcement))
    for heading, about, lines in above:
        yield rich(
            section(styled(f"{heading} ", bold=True), styled(about)),
            bullets(section(styled(line)) for line in _some_lines(lines, FEW // len(above))),
        )
    items = announcement.of(*NEWS)
    if style.mention and is_grave(announcement):
        group = {"type": "usergroup", "usergroup_id": style.mention}
        what = "a revocation" if announcement.notices else "critical findings"
        yield rich(section(group, styled(f": {what}.")))
    if items:
        yield rich(
            *_groups(items[: room.news], announcement, resolved),
            *_more(announcement.count(*NEWS) - room.news, style),
        )
    for topic in BELOW:
        yield from _few(announcement, topic, room.few, style)
    yield rich(section(*_closing(announcement, style)))


def _few(announcement: Announcement, topic: Topic, few: int, style: Style) -> Iterator[Block]:
    """Yield the first findings of a topic under its heading, and the number of others."""
    count = announcement.counts.get(topic, 0)
    if count:
        items = announcement.of(topic)[:few]
        yield rich(
            section(styled(f"{BELOW[topic]}: {count:,}", bold=True)),
            *([bullets(_titled(item, announcement) for item in items)] if items else []),
            *_more(count - len(items), style),
        )


def _groups(
    items: tuple[Item, ...], announcement: Announcement, resolved: frozenset[str]
) -> Iterator[Element]:
    """Yield the items by rule: severity and title, the keys, and the fix."""
    for first, members in by_rule(items):
        yield section(
            styled(
                f"{SHAPES[first.severity]} {first.severity.value.capitalize()}:"
                f" {plain(first.title, 120)}",
                bold=True,
            ),
        )
        yield bullets(_line(item, announcement, resolved) for item in members)
        if first.fix:
            yield section(styled(f"Fix: {plain(first.fix, 300)}", italic=True))


def _line(item: Item, announcement: Announcement, resolved: frozenset[str] = _NONE) -> Element:
    said = styled(f"  {details(item, announcement)}", strike=item.fingerprint in resolved)
    return section(styled(named(item), code=True), said)


def _titled(item: Item, announcement: Announcement) -> Element:
    line = _line(item, announcement)
    was = "was: " if item.topic is Topic.RESOLVED else ""
    line["elements"].append(styled(f" · {was}{plain(item.title, 120)}"))
    return line


def _thread(announcement: Announcement, items: Sequence[Item]) -> Iterator[Message]:
    """Yield messages with as many items as fit, and the number of others."""
    parts = list(_packed(items, announcement))[:MOST_IN_THREAD]
    told = sum(announcement.counts.values()) - len(announcement.items) + len(items)
    for number, part in enumerate(parts, start=1):
        told -= len(part)
        more = _more(told, Style(has_thread=False)) if number == len(parts) else ()
        blocks = (rich(*_groups(tuple(part), announcement, _NONE), *more),)
        lines = (
            f"{item.severity.value}: {named(item)} {details(item, announcement)}" for item in part
        )
        yield Message(
            text=f"{len(part):,} more of {escaped(headline(announcement))}",
            blocks=blocks,
            fallback=escaped("\n".join(lines))[:_TEXT],
            named=_names(part),
        )


def _packed(items: Iterable[Item], announcement: Announcement) -> Iterator[list[Item]]:
    """Yield the items in parts that each fit into a message."""
    part: list[Item] = []
    room = MOST_WEIGHT
    for item in items:
        own = weight([_line(item, announcement)])
        whole = weight([rich(*_groups((item,), announcement, _NONE))])
        is_next = part and (part[-1].severity, part[-1].rule) == (item.severity, item.rule)
        if part and (own if is_next else whole) > room - 2 * BLOCK_WEIGHT:
            yield part
            part, room, is_next = [], MOST_WEIGHT, False
        part.append(item)
        room -= own if is_next else whole
    if part:
        yield part


def _more(count: int, style: Style) -> list[Element]:
    if count <= 0:
        return []
    place = "in the thread and in the report" if style.has_thread else "in the report"
    return [section(styled(f"… and {count:,} more, {place}."))]


def _opening(announcement: Announcement, style: Style) -> str:
    if style.absent:
        return (
            f"No Slack account found for {plain(style.absent, 80)}, the owner of these keys."
            " Please assign a new owner or fix the findings."
        )
    if style.is_personal:
        return (
            "You own these API keys. Please fix the findings below, or explain to your security"
            " team why they need an exception."
        )
    return verdict(announcement)


def _closing(announcement: Announcement, style: Style) -> Iterator[Element]:
    yield styled(f"{scanned(announcement)}, {announcement.scan_id}.", italic=True)
    if style.report:
        yield styled(" ")
        url = page_link(style.report, announcement)
        yield {"type": "link", "url": url, "text": "Open the report"}


def _some_lines(all_lines: Sequence[str], most: int) -> list[str]:
    lines = [plain(line, 200) for line in all_lines[:most]]
    more = len(all_lines) - len(lines)
    return [*lines, f"... and {more:,} more"] if more else lines
