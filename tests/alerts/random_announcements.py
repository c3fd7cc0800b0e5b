"""Announcements of every size, in which strangers wrote whatever strangers write."""

import random
from datetime import timedelta
from typing import Final

from scanner.announcement import MOST_ITEMS, Announcement, Item, Topic
from scanner.severity import Severity
from tests.factories import NOW

HOSTILE: Final = (
    "<!channel>",
    "<!here|all>",
    "@channel",
    "@here",
    "<@U1>",
    "<!subteam^S1>",
    "&lt;!channel&gt;",
    "<https://evil.example|click>",
    "https://evil.example/a",
    "*bold* _it_ ~no~ `code`",
    "\u202egnp.exe",
    "\x1b[31m",
    "a\nb",
    "\u2028",
    "👩‍👩‍👧",
    "مفتاح",
    "<" * 90,
    "&" * 300,
    '"' * 300,
    "\\" * 300,
    "x" * 1000,
    ":fire:",
    "{{ 7*7 }}",
    " ",
    "",
)
_FLOODS: Final = 0.05
"""How many of all announcements have as many findings as there can be."""
CHANGES: Final = (
    Topic.NEW,
    Topic.REOPENED,
    Topic.ESCALATED,
    Topic.REVOKED,
    Topic.DUE,
    Topic.REMINDER,
    Topic.RESOLVED,
)


def mark(number: int) -> str:
    """What the name of a finding's key begins with, and nothing else does."""
    return f"\u00a7{number};"


def random_announcement(seed: int) -> Announcement:
    """Return the same for the same seed: nothing to many findings, few rules or many."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    is_flood = chance.random() < _FLOODS
    count = MOST_ITEMS if is_flood else chance.choice((0, 1, 2, 3, 5, 8, 11, 12))
    rules = chance.choice((1, 3, 40))
    items = sorted(
        (_item(chance, number, rules) for number in range(count)),
        key=lambda item: (max(CHANGES.index(item.topic), 2), item.severity.rank),
    )
    counts: dict[Topic, int] = {}
    for item in items:
        counts[item.topic] = counts.get(item.topic, 0) + 1
    if is_flood:
        counts = {topic: n + chance.choice((0, 1, 5000)) for topic, n in counts.items()}
    return Announcement(
        scan_id=f"20260701T030000Z-{seed:08x}",
        organization=_text(chance) or "Acme",
        at=NOW,
        policies=tuple(_text(chance) or "mine" for _ in range(chance.choice((1, 2, 30)))),
        keys=chance.randrange(1_000_000),
        keys_violating=chance.randrange(1000),
        by_severity={severity: chance.choice((0, 3, 50_000)) for severity in Severity},
        counts=counts,
        items=tuple(items),
        gaps=tuple(_text(chance) or "users" for _ in range(chance.choice((0, 0, 1, 9)))),
        notices=tuple(_text(chance) or "key" for _ in range(chance.choice((0, 0, 0, 1, 9)))),
    )


def _item(chance: random.Random, number: int, rules: int) -> Item:
    rule = chance.randrange(rules)
    severity = list(Severity)[rule % 5]
    return Item(
        fingerprint=f"{number:032x}",
        topic=chance.choice(CHANGES),
        severity=severity,
        before=chance.choice((None, Severity.LOW)),
        rule=f"rule-{rule}",
        title=_text(chance) or "A title",
        fix=_text(chance),
        evidence=_text(chance),
        key_id=f"key_{number}",
        key_name=f"{mark(number)}{_text(chance)}",
        redacted_value="sk-proj-Ab3d...9xYz",
        project=_text(chance),
        owner=_text(chance),
        owner_email=chance.choice(("", "ada@example.com", _text(chance))),
        since=NOW - timedelta(days=chance.randrange(900)),
        resolution=chance.choice(("key deleted", "mended", _text(chance))),
        revocation=chance.choice(("", "will be deleted on 2026-08-01")),
    )


def _text(chance: random.Random) -> str:
    return "".join(chance.choice(HOSTILE) for _ in range(chance.choice((0, 1, 1, 2, 6))))
