"""What every alert says in the same words, and hostile text made short and inert."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Final

from scanner.announcement import NEWS, Announcement, Item, Topic
from scanner.display import visible
from scanner.secret import redact
from scanner.severity import Severity

SHAPES: Final = {
    Severity.CRITICAL: "■",
    Severity.HIGH: "▲",
    Severity.MEDIUM: "◆",
    Severity.LOW: "○",
    Severity.INFO: "-",
}
_ELLIPSIS: Final = "…"
_WORDS: Final = {Topic.REMINDER: "still open", Topic.DUE: "to be revoked"}


@lru_cache(maxsize=4096)
def plain(text: str, limit: int) -> str:
    """Return what strangers wrote, visible, on one line, secrets masked, at most `limit` long."""
    shown = visible(redact(" ".join(text.split())))
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}{_ELLIPSIS}"


def headline(announcement: Announcement) -> str:
    """Say in one line what happened: `Acme: 2 new, 1 escalated, 1 resolved`."""
    return f"{plain(announcement.organization, 60)}: {news(announcement)}"


def news(announcement: Announcement) -> str:
    """Say what happened, in figures: `2 new, 1 escalated`."""
    counts = announcement.counts
    words = {topic: topic.value for topic in Topic} | _WORDS
    said = [f"{counts[topic]:,} {words[topic]}" for topic in Topic if counts.get(topic)]
    nothing = "revocation needs you" if announcement.notices else "nothing new"
    what = ", ".join(said) or nothing
    return f"{what} - incomplete scan" if announcement.gaps else what


def verdict(announcement: Announcement) -> str:
    """Say how bad it is: `12 violations on 5 of 31 keys: 2 critical, 10 high`."""
    if not announcement.violations:
        seen = " among what could be seen" if announcement.gaps else ""
        return f"No violation is open{seen}."
    counts = ", ".join(
        f"{count:,} {severity.value}"
        for severity, count in announcement.by_severity.items()
        if count
    )
    plural = "" if announcement.violations == 1 else "s"
    return (
        f"{announcement.violations:,} open violation{plural} on {announcement.keys_violating:,} of"
        f" {announcement.keys:,} keys: {counts}."
    )


def scanned(announcement: Announcement) -> str:
    """Say which scan it was."""
    policies = plain(", ".join(announcement.policies), 80)
    return f"Scan of {moment(announcement.at)}, policy {policies}"


def page_link(template: str, announcement: Announcement) -> str:
    """Return the address of a scan's page: {scan_id} and {date} in a template filled in."""
    day = f"{announcement.at:%Y-%m-%d}"
    return template.replace("{scan_id}", announcement.scan_id).replace("{date}", day)


def moment(at: datetime) -> str:
    """Spell a moment."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def by_rule(items: tuple[Item, ...]) -> Iterator[tuple[Item, tuple[Item, ...]]]:
    """Yield neighbours of one rule and severity together, after the first of them."""
    for _, group in groupby(items, key=lambda item: (item.severity, item.rule)):
        members = tuple(group)
        yield members[0], members


def whose(item: Item) -> str:
    """Say who answers for a key: name and address, if there are both."""
    owner, address = plain(item.owner, 60), plain(item.owner_email, 80)
    if address and address != owner:
        return f"{owner} ({address})" if owner else address
    return owner or "owner unknown"


def named(item: Item) -> str:
    """Say which key: its name and how it ends, or else what is known of it."""
    name, value = plain(item.key_name, 60), plain(item.redacted_value, 40)
    if name and value:
        return f"{name} {_ELLIPSIS}{value[-4:]}"
    return name or value or plain(item.key_id, 60)


def where(item: Item) -> str:
    """Say where the key is."""
    return plain(item.project, 60) or "the organization"


def told_as(item: Item, now: datetime) -> str:
    """Say what makes it news: `new`, `was medium`, `open for 28 days`, `key deleted`."""
    if item.topic is Topic.ESCALATED and item.before:
        return f"was {item.before.value}"
    if item.topic is Topic.REMINDER:
        return f"open for {(now - item.since).days} days"
    if item.topic in (Topic.RESOLVED, Topic.REVOKED):
        return item.resolution
    return "" if item.topic in (Topic.NEW, Topic.DUE) else item.topic.value


def details(item: Item, announcement: Announcement) -> str:
    """Say where a key is, whose it is, what is wrong with it and what makes that news."""
    what = "" if item.topic is Topic.RESOLVED else plain(item.evidence, 200)
    is_news = told_as(item, announcement.at)
    parts = (f"in {where(item)}", whose(item), what, is_news, plain(item.revocation, 100))
    return " · ".join(part for part in parts if part)


def is_grave(announcement: Announcement) -> bool:
    """Whether there is critical news, or a revocation that went otherwise than planned."""
    return bool(announcement.notices) or any(
        item.severity is Severity.CRITICAL for item in announcement.of(*NEWS)
    )


def warnings(announcement: Announcement) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield what stands above all findings: a heading, what it is about, and the lines."""
    if announcement.gaps:
        yield "Incomplete scan.", "What was not seen is not judged:", announcement.gaps
    if announcement.notices:
        yield "Revocation.", "It went otherwise than planned:", announcement.notices
