"""What an alert says, and to whom: values that alerts render and the outbox keeps."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.revocation import Promise
from scanner.severity import Severity

MOST_ITEMS: Final = 200
"""An alert that tells of more than these, the worst, says how many more there are."""


class Topic(StrEnum):
    """Why an alert speaks of a finding, in the order in which it does."""

    NEW = "new"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    REVOKED = "revoked"
    DUE = "due"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class Sink(StrEnum):
    """Where alerts go: a Slack channel, each owner in Slack, a webhook of Slack's or any, mail."""

    SLACK = "slack"
    SLACK_OWNERS = "slack-owners"
    SLACK_WEBHOOK = "slack-webhook"
    WEBHOOK = "webhook"
    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which findings go where, by what stands in the settings under its name.

    `to` is a channel, an address or several, or who hears of what finds no owner (SLACK_OWNERS).
    Empty `projects`, `rules` and `owners` let all pass; else one glob of each must fit. `mention`
    is a user group that critical news calls. `reminder` None: what stays open is not told again.
    """

    name: str
    sink: Sink
    to: str = ""
    severity: Severity = Severity.INFO
    projects: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    mention: str = ""
    attach: bool = False
    quiet: bool = True
    reminder: timedelta | None = timedelta(days=14)


class Item(NamedTuple):
    """One finding as an alert tells of it; `since` is when it was found.

    `before` is the severity that it rose from, `resolution` how it was resolved or revoked,
    `revocation` what is to become of the key; `promise` is that for the outbox, where an alert
    tells it for the first time.
    """

    fingerprint: str
    topic: Topic
    severity: Severity
    before: Severity | None
    rule: str
    title: str
    fix: str
    evidence: str
    key_id: str
    key_name: str
    redacted_value: str
    project: str
    owner: str
    owner_email: str
    since: datetime
    resolution: str = ""
    revocation: str = ""
    promise: Promise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What one scan tells one route: figures of all that the route lets pass, and what changed.

    `items` are the worst first, at most MOST_ITEMS; `counts` are of all. `gaps` say what was not
    seen, `notices` what went otherwise than planned when keys were revoked. `entry` is how far in
    the journal it tells, 0 if it tells of no revocation that was made.
    """

    scan_id: str
    organization: str
    at: datetime
    policies: tuple[str, ...]
    keys: int
    keys_violating: int
    by_severity: dict[Severity, int]
    counts: dict[Topic, int] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    gaps: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    entry: int = 0

    @property
    def violations(self) -> int:
        """How many violations are open."""
        return sum(self.by_severity.values())

    def of(self, *topics: Topic) -> tuple[Item, ...]:
        """Return the items of these topics, the worst first."""
        return tuple(item for item in self.items if item.topic in topics)

    def count(self, *topics: Topic) -> int:
        """Return how many findings there are of these topics, those beyond the items included."""
        return sum(self.counts.get(topic, 0) for topic in topics)


NEWS: Final = (Topic.NEW, Topic.REOPENED, Topic.ESCALATED)
BELOW: Final = {
    Topic.REVOKED: "Revoked",
    Topic.DUE: "To be revoked",
    Topic.REMINDER: "Still open",
    Topic.RESOLVED: "Resolved",
}
"""What stands below the news, under which heading."""


class Draft(NamedTuple):
    """An announcement on its way out; `target` is the owner's address where a route leads to each.

    Where else a route leads is for the settings of the night on which it is sent.
    """

    route: str
    sink: Sink
    target: str
    announcement: Announcement


class PartState(StrEnum):
    """SENDING: whether it arrived is not known."""

    SENDING = "sending"
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message, file or request of a delivery; `receipt` is what the other side called it."""

    state: PartState
    at: datetime
    receipt: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A draft as the outbox keeps it, with the parts that were begun."""

    id: str
    made_at: datetime
    draft: Draft
    parts: dict[str, Part] = field(default_factory=dict)
