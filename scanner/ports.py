"""The outside world as the core sees it: small Protocols that the edges implement."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scanner.announcement import Delivery, Draft, Part
from scanner.errors import ApiError
from scanner.identity import Identified
from scanner.inventory import Inventory, Key, Project, ServiceAccount, User
from scanner.lifecycle import Case, History, Night
from scanner.receipt import Act, Intent, Outcome
from scanner.result import ScanResult


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return now, time-zone aware, in UTC."""
        ...


class Collector(Protocol):
    """Walks one organization."""

    def __call__(self) -> Inventory:
        """Return everything that could be seen; what could not stands in its coverage.

        Raise ApiError only if there is nothing to judge: the projects themselves cannot be listed.
        """
        ...


class Progress(Protocol):
    """Watches a walk; called from the walk's own thread, often."""

    def walked(self, *, projects: int, projects_done: int, keys: int) -> None:
        """Take note of how far the walk has come."""
        ...

    def asks_again(self, error: ApiError, seconds: float) -> None:
        """Take note that a request failed so, and is asked again after that time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to record a scan of an organization; a later one has a larger token."""

    organization: str
    holder: str
    token: int


class Past(Protocol):
    """What is remembered of the nights before. Raises StoreError if it cannot be read."""

    def cases(self, organization: str, fingerprints: Iterable[str]) -> tuple[Case, ...]:
        """Return the open cases, and of the closed ones those named."""
        ...

    def closed(self, organization: str, since: datetime, limit: int) -> tuple[Case, ...]:
        """Return the latest cases that were resolved since a moment and still are, latest first."""
        ...

    def nights(
        self, organization: str, limit: int, *, before: datetime | None = None
    ) -> tuple[Night, ...]:
        """Return the latest recorded scans, or those that began `before`, oldest first."""
        ...


class Store(Past, Protocol):
    """Remembers. Every method raises StoreError if it cannot."""

    def hold(self, organization: str) -> AbstractContextManager[Lease]:
        """Keep others from scanning the organization while the context lasts.

        Raise StoreLocked, saying who scans it, if somebody does.
        """
        ...

    def record(  # noqa: PLR0913, PLR0917 - all that one transaction records
        self,
        lease: Lease,
        history: History,
        snapshot: bytes,
        drafts: Iterable[Draft] = (),
        texts: Mapping[str, str] | None = None,
        identified: Identified | None = None,
        *,
        forgets: bool = True,
    ) -> None:
        """Record a scan and its alerts, whole or not at all.

        `texts` are those of its policies, by digest; `identified` is its name and projects. It
        `forgets` what is not kept. Refuse if another scan has taken over.
        """
        ...


class Outbox(Protocol):
    """Keeps what is to be told until it is. Every method raises StoreError if it cannot."""

    def pending(self, organization: str, at: datetime | None = None) -> tuple[Delivery, ...]:
        """Return what is not delivered, or was not at the start of a scan, oldest first."""
        ...

    def routes(self, organization: str, before: datetime | None = None) -> frozenset[str]:
        """Return the routes for which any scan, or one before a moment, had an alert."""
        ...

    def delivered(
        self, organization: str, route: str, target: str, since: datetime
    ) -> tuple[Delivery, ...]:
        """Return what was delivered to that place of the scans since a moment, oldest first."""
        ...

    def note(self, lease: Lease, delivery_id: str, name: str, part: Part) -> None:
        """Keep how far a part is; refuse if another scan has taken over."""
        ...

    def close(
        self,
        lease: Lease,
        delivery: Delivery,
        at: datetime,
        named: frozenset[str] | None,
        *,
        starts_grace: bool,
    ) -> None:
        """Let a delivery be done, that named these findings; None: it is given up.

        Its notices start grace periods only if it `starts_grace`.
        """
        ...


class Log(Protocol):
    """How far one delivery is. What is begun and not done may have arrived, or may not."""

    def part(self, name: str) -> Part | None:
        """Return what is known of a part; None: it was never begun."""
        ...

    def begin(self, name: str, **receipt: str) -> None:
        """Note that a part is about to be sent, and where to.

        Raise StoreError if that cannot be noted: then it is not to be sent.
        """
        ...

    def done(self, name: str, **receipt: str) -> None:
        """Note that a part arrived, and what the other side called it."""
        ...

    def earlier_today(self) -> tuple[Delivery, ...]:
        """Return what was delivered to the same place of the same day's scans, oldest first."""
        ...


Page = Callable[[], bytes | None]
"""Makes a scan's HTML report; None if what it rests on is kept no more."""


class AlertSink(Protocol):
    """Delivers to one route. What it raises, AlertError, leaves the delivery to the next run."""

    def __call__(self, delivery: Delivery, log: Log, page: Page, /) -> frozenset[str]:
        """Send each part that the log does not have as done; return which findings it names.

        `page` makes the scan's HTML report.

        A part that was begun is only sent again when it is sure, or cannot be found out, that it
        did not arrive.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A key as it is now; None: it no longer exists. `owner` None: likewise, or not read.

    `project` is None where it was not read. `at` is the time by the API's clock, if it gave one.
    """

    key: Key | None
    owner: User | ServiceAccount | None = None
    project: Project | None = None
    at: datetime | None = None


class Revoker(Protocol):
    """Reads one key again, and changes it. Every method raises ApiError."""

    def look(self, key_id: str, project_id: str | None, *, whole: bool = True) -> Look:
        """Read a key again and, for the `whole` look, its owner and project."""
        ...

    def change(self, intent: Intent) -> str:
        """Ask for one change, once; return the request's id.

        Only an error with a status of 4xx says that nothing was changed.
        """
        ...

    def scopes_given(self, key_id: str, since: datetime) -> tuple[str, ...] | None:
        """Return what a key was last given since a moment, if it was given any."""
        ...


class Journal(Protocol):
    """Keeps what is done to one organization's keys; nothing in it is changed or forgotten.

    Every method raises StoreError if it cannot.
    """

    def acts(self) -> tuple[Act, ...]:
        """Return every intent, oldest first, with how it ended."""
        ...

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        """Return those of the organization's other histories, with how each ended.

        `ids` are those of the organization's projects and keys, by which they are recognised.
        """
        ...

    def begin(
        self, intent: Intent, ids: frozenset[str], objection: Callable[[tuple[Act, ...]], str]
    ) -> str:
        """Keep an intent before it is acted on, for good when this returns "".

        `objection` returns why not, given all of the organization's actions under any name, `ids`
        as above; no other process keeps an intent meanwhile. Then nothing is kept, and this returns
        the same.
        """
        ...

    def end(self, outcome: Outcome) -> None:
        """Keep how an intent ended."""
        ...


class Format(Protocol):
    """Renders a scan result; equal results render to equal text."""

    def __call__(self, result: ScanResult) -> str:
        """Return the whole document."""
        ...
