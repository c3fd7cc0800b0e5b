"""An announcement as plain text: for mail, the terminal, and Slack without blocks."""

from collections.abc import Iterator

from scanner.alerts.wording import (
    by_rule,
    details,
    named,
    plain,
    rule_heading,
    scanned,
    verdict,
    warnings,
)
from scanner.announcement import BELOW, NEWS, Announcement, Topic


def in_lines(announcement: Announcement, most: int) -> Iterator[str]:
    """Yield the lines, with at most `most` findings of each kind."""
    yield verdict(announcement)
    for heading, about, lines in warnings(announcement):
        yield ""
        yield f"{heading} {about}"
        yield from (f"  {plain(line, 300)}" for line in lines)
    yield from _kind(announcement, "", most, *NEWS)
    for topic, heading in BELOW.items():
        yield from _kind(announcement, heading, most, topic)
    yield ""
    yield f"{scanned(announcement)}, {announcement.scan_id}."


def named_in_lines(announcement: Announcement, most: int) -> frozenset[str]:
    """Return the fingerprints of the findings in these lines."""
    shown = [*announcement.of(*NEWS)[:most]]
    for topic in BELOW:
        shown += announcement.of(topic)[:most]
    return frozenset(item.fingerprint for item in shown)


def _kind(announcement: Announcement, heading: str, most: int, *topics: Topic) -> Iterator[str]:
    count = sum(announcement.counts.get(topic, 0) for topic in topics)
    if not count:
        return
    items = announcement.of(*topics)[:most]
    yield ""
    if heading:
        yield f"{heading}: {count:,}"
    for first, members in by_rule(items):
        yield rule_heading(first)
        yield from (f"  - {named(item)} {details(item, announcement)}" for item in members)
        if first.fix and first.topic not in (Topic.RESOLVED, Topic.REVOKED):
            yield f"  Fix: {plain(first.fix, 300)}"
    if count > len(items):
        yield f"  … and {count - len(items):,} more findings, in the report."
