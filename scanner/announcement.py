"""The contents and targets of alerts: values that alerts render and the outbox keeps."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.revocation import Promise
from scanner.severity import Severity

MOST_ITEMS: Final = 200
"""The most findings that an alert lists, the worst first; it counts the rest."""


class Topic(StrEnum):
    """Why an alert contains a finding, in the order of its sections."""

    NEW = "new"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    REVOKED = "revoked"
    DUE = "due"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class Sink(StrEnum):
    """Kinds of targets: a Slack channel, each owner in Slack, a webhook (Slack or other), mail."""

    SLACK = "slack"
    SLACK_OWNERS = "slack-owners"
    SLACK_WEBHOOK = "slack-webhook"
    WEBHOOK = "webhook"
    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which findings go to which target, as configured under its name.

    `to` is a channel, e-mail addresses, or the channel for findings whose owner is not in Slack
    (SLACK_OWNERS). Empty `projects`, `rules` and `owners` match all; else one glob of each must
    match. `mention` is a user group to mention on critical news. `reminder` None: no reminders.
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
    """One finding in an alert; `since` is when it was found.

    `before` is the severity before an escalation, `resolution` how it was resolved or revoked,
    `revocation` the planned action on the key; `promise` is the notice of that action for the
    outbox, if this alert is the first to contain it.
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
    """One scan's alert for one route: counts of all findings that match it, and the changes.

    `items` are the worst first, at most MOST_ITEMS; `counts` are of all. `gaps` are the listings
    not collected, `notices` the problems with revocation. `entry` is the last journal entry that
    it reports, 0 if it reports no revocation. `owner` is the name of the one owner whose keys it
    is about, "" if it is about all keys or the name is unknown.
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
    owner: str = ""

    @property
    def violations(self) -> int:
        """The number of open violations."""
        return sum(self.by_severity.values())

    def of(self, *topics: Topic) -> tuple[Item, ...]:
        """Return the items of these topics, the worst first."""
        return tuple(item for item in self.items if item.topic in topics)

    def count(self, *topics: Topic) -> int:
        """Return the number of findings of these topics, including those not in `items`."""
        return sum(self.counts.get(topic, 0) for topic in topics)


NEWS: Final = (Topic.NEW, Topic.REOPENED, Topic.ESCALATED)
BELOW: Final = {
    Topic.REVOKED: "Revoked",
    Topic.DUE: "Due for revocation",
    Topic.REMINDER: "Still open",
    Topic.RESOLVED: "Resolved",
}
"""The headings of the sections below the news."""


class Draft(NamedTuple):
    """An announcement to send; `target` is the owner's address if the route goes to each owner.

    Other targets come from the settings of the scan that sends it.
    """

    route: str
    sink: Sink
    target: str
    announcement: Announcement


class PartState(StrEnum):
    """SENDING: it is not known whether the part arrived."""

    SENDING = "sending"
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message, file or request of a delivery; `receipt` has the receiver's ids of it."""

    state: PartState
    at: datetime
    receipt: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A draft in the outbox, with the parts that were begun."""

    id: str
    made_at: datetime
    draft: Draft
    parts: dict[str, Part] = field(default_factory=dict)
