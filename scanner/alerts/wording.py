"""Wording shared by all alerts; untrusted text shortened and made inert."""

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
_WORDS: Final = {Topic.REMINDER: "still open", Topic.DUE: "due for revocation"}


@lru_cache(maxsize=4096)
def plain(text: str, limit: int) -> str:
    """Return untrusted text inert, on one line, secrets masked, at most `limit` characters."""
    shown = visible(redact(" ".join(text.split())))
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}{_ELLIPSIS}"


def headline(announcement: Announcement) -> str:
    """Return the changes in one line: `Acme: 2 new, 1 resolved`, `Acme, keys of Eve: 1 new`."""
    owner = f", keys of {plain(announcement.owner, 60)}" if announcement.owner else ""
    return f"{plain(announcement.organization, 60)}{owner}: {news(announcement)}"


def news(announcement: Announcement) -> str:
    """Return the number of changes: `2 new, 1 escalated`."""
    counts = announcement.counts
    words = {topic: topic.value for topic in Topic} | _WORDS
    said = [f"{counts[topic]:,} {words[topic]}" for topic in Topic if counts.get(topic)]
    nothing = "check the revocation" if announcement.notices else "no changes"
    what = ", ".join(said) or nothing
    return f"{what} - incomplete scan" if announcement.gaps else what


def verdict(announcement: Announcement) -> str:
    """Return the open violations: `12 open violations on 5 of 31 keys: 2 critical, 10 high`."""
    if not announcement.violations:
        seen = " in the data that was collected" if announcement.gaps else ""
        whose = " of these keys" if announcement.owner else ""
        return f"No open violations{whose}{seen}."
    counts = ", ".join(
        f"{count:,} {severity.value}"
        for severity, count in announcement.by_severity.items()
        if count
    )
    plural = "" if announcement.violations == 1 else "s"
    keys = f"{announcement.keys_violating:,} of {announcement.keys:,} keys"
    if announcement.owner:
        keys = (
            f"{announcement.keys_violating:,} key{'' if announcement.keys_violating == 1 else 's'}"
        )
    return f"{announcement.violations:,} open violation{plural} on {keys}: {counts}."


def scanned(announcement: Announcement) -> str:
    """Return the time and the policies of the scan."""
    policies = plain(", ".join(announcement.policies), 80)
    return f"Scan of {moment(announcement.at)}, policy {policies}"


def page_link(template: str, announcement: Announcement) -> str:
    """Return the URL of a scan's page: the template with {scan_id} and {date} replaced."""
    day = f"{announcement.at:%Y-%m-%d}"
    return template.replace("{scan_id}", announcement.scan_id).replace("{date}", day)


def moment(at: datetime) -> str:
    """Format a time."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def by_rule(items: tuple[Item, ...]) -> Iterator[tuple[Item, tuple[Item, ...]]]:
    """Group adjacent items by rule and severity; yield the first item and the whole group."""
    for _, group in groupby(items, key=lambda item: (item.severity, item.rule)):
        members = tuple(group)
        yield members[0], members


def whose(item: Item) -> str:
    """Return the owner of a key: name and address, as far as known."""
    owner, address = plain(item.owner, 60), plain(item.owner_email, 80)
    if address and address != owner:
        return f"{owner} ({address})" if owner else address
    return owner or "owner unknown"


def named(item: Item) -> str:
    """Return the key's name and the end of its value, or else what is known."""
    name, value = plain(item.key_name, 60), plain(item.redacted_value, 40)
    if name and value:
        return f"{name} {_ELLIPSIS}{value[-4:]}"
    return name or value or plain(item.key_id, 60)


def where(item: Item) -> str:
    """Return the key's project: `in search`; an admin key has none."""
    project = plain(item.project, 60)
    return f"in {project}" if project else "organization-wide"


def rule_heading(item: Item) -> str:
    """Return the heading of the items of a rule: `high: Key is over 90 days old`."""
    grade = item.severity.value
    was = "was " if item.topic is Topic.RESOLVED else ""
    return f"{SHAPES[item.severity]} {was}{grade}: {plain(item.title, 120)}"


def told_as(item: Item, now: datetime) -> str:
    """Return what changed: `was medium`, `found 28 days ago`, `key deleted`; "" for new ones."""
    if item.topic is Topic.ESCALATED and item.before:
        return f"was {item.before.value}"
    if item.topic is Topic.REMINDER:
        return f"found {(now - item.since).days} days ago"
    if item.topic in (Topic.RESOLVED, Topic.REVOKED):
        return item.resolution
    return "" if item.topic in (Topic.NEW, Topic.DUE) else item.topic.value


def details(item: Item, announcement: Announcement) -> str:
    """Return project, owner, evidence and change of a finding."""
    what = "" if item.topic is Topic.RESOLVED else plain(item.evidence, 200)
    is_news = told_as(item, announcement.at)
    parts = (where(item), whose(item), what, is_news, plain(item.revocation, 100))
    return " · ".join(part for part in parts if part)


def is_grave(announcement: Announcement) -> bool:
    """Whether there are critical changes, or a revocation problem."""
    return bool(announcement.notices) or any(
        item.severity is Severity.CRITICAL for item in announcement.of(*NEWS)
    )


def warnings(announcement: Announcement) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the warnings above the findings: heading, introduction and lines."""
    if announcement.gaps:
        yield "Incomplete scan.", "Data that was not collected is not evaluated:", announcement.gaps
    if announcement.notices:
        yield "Revocation.", "Problems to check:", announcement.notices
