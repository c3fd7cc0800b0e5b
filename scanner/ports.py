"""The core's interfaces to the outside: small Protocols that the edges implement."""

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
    """Returns the current time."""

    def __call__(self) -> datetime:
        """Return now, time-zone aware, in UTC."""
        ...


class Collector(Protocol):
    """Collects one organization."""

    def __call__(self) -> Inventory:
        """Return the collected data; its coverage contains the gaps.

        Raise ApiError only if the projects cannot be listed: without them no key is evaluated.
        """
        ...


class Progress(Protocol):
    """Observes a collection; called often, from the collector's thread."""

    def walked(self, *, projects: int, projects_done: int, keys: int) -> None:
        """Note how much was collected so far."""
        ...

    def asks_again(self, error: ApiError, seconds: float) -> None:
        """Note that a request failed with `error` and is retried after `seconds`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to record a scan of an organization; a later one has a larger token."""

    organization: str
    holder: str
    token: int


class Past(Protocol):
    """The earlier scans of the history. Raises StoreError if they cannot be read."""

    def cases(self, organization: str, fingerprints: Iterable[str]) -> tuple[Case, ...]:
        """Return the open finding records, and the closed ones with these fingerprints."""
        ...

    def closed(self, organization: str, since: datetime, limit: int) -> tuple[Case, ...]:
        """Return the finding records resolved since a moment and still resolved, latest first."""
        ...

    def nights(
        self, organization: str, limit: int, *, before: datetime | None = None
    ) -> tuple[Night, ...]:
        """Return the latest recorded scans, or those that began `before`, oldest first."""
        ...


class Store(Past, Protocol):
    """Records scans. Every method raises StoreError if it fails."""

    def hold(self, organization: str) -> AbstractContextManager[Lease]:
        """Lock the organization against other scans while the context lasts.

        Raise StoreLocked, naming the holder, if another process has the lock.
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
        """Record a scan and its alerts in one transaction.

        `texts` are the texts of its policies, by digest; `identified` is its name and projects.
        `forgets`: delete what is past its retention. Raise if another scan has taken the lease.
        """
        ...


class Outbox(Protocol):
    """Keeps alerts until they are delivered. Every method raises StoreError if it fails."""

    def pending(self, organization: str, at: datetime | None = None) -> tuple[Delivery, ...]:
        """Return the pending deliveries, or those pending when a scan began, oldest first."""
        ...

    def routes(self, organization: str, before: datetime | None = None) -> frozenset[str]:
        """Return the routes for which any scan, or one before a moment, had an alert."""
        ...

    def delivered(
        self, organization: str, route: str, target: str, since: datetime
    ) -> tuple[Delivery, ...]:
        """Return the deliveries to that target of the scans since a moment, oldest first."""
        ...

    def note(self, lease: Lease, delivery_id: str, name: str, part: Part) -> None:
        """Store the state of a part; raise if another scan has taken the lease."""
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
        """Close a delivery that named these findings; None: it is abandoned.

        Its notices start grace periods only if it `starts_grace`.
        """
        ...


class Log(Protocol):
    """The progress of one delivery. A part that was begun and not done may have arrived."""

    def part(self, name: str) -> Part | None:
        """Return a part's state; None: it was not begun."""
        ...

    def begin(self, name: str, **receipt: str) -> None:
        """Note that a part is about to be sent, and its target.

        Raise StoreError if that fails: then the part must not be sent.
        """
        ...

    def done(self, name: str, **receipt: str) -> None:
        """Note that a part arrived, and the receiver's ids of it."""
        ...

    def earlier_today(self) -> tuple[Delivery, ...]:
        """Return the deliveries to the same target of the same day's scans, oldest first."""
        ...


Page = Callable[[], bytes | None]
"""Renders a scan's HTML report; None if its collected data is no longer kept."""


class AlertSink(Protocol):
    """Delivers to one route. After an AlertError the delivery stays pending for the next run."""

    def __call__(self, delivery: Delivery, log: Log, page: Page, /) -> frozenset[str]:
        """Send each part that is not done in the log; return the findings that it names.

        `page` renders the scan's HTML report. A part that was begun is sent again only if it
        certainly did not arrive, or if that cannot be found out.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A key in its current state; None: it no longer exists. `owner` None: likewise, or not read.

    `project` is None if it was not read. `at` is the API's time, if the response had one.
    """

    key: Key | None
    owner: User | ServiceAccount | None = None
    project: Project | None = None
    at: datetime | None = None


class Revoker(Protocol):
    """Re-reads one key, and changes it. Every method raises ApiError."""

    def look(self, key_id: str, project_id: str | None, *, whole: bool = True) -> Look:
        """Re-read a key and, if `whole`, its owner and project."""
        ...

    def change(self, intent: Intent) -> str:
        """Request one change, once; return the request's id.

        Only an error with a 4xx status proves that the key was not changed.
        """
        ...

    def scopes_given(self, key_id: str, since: datetime) -> tuple[str, ...] | None:
        """Return the scopes a key was last given since a moment; None if it was given none."""
        ...


class Journal(Protocol):
    """The actions on one organization's keys; entries are never changed or deleted.

    Every method raises StoreError if it fails.
    """

    def acts(self) -> tuple[Act, ...]:
        """Return every intent, oldest first, with its outcome."""
        ...

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        """Return the intents in the organization's other histories, with their outcomes.

        `ids` are the ids of the organization's projects and keys, which identify its histories.
        """
        ...

    def begin(
        self, intent: Intent, ids: frozenset[str], objection: Callable[[tuple[Act, ...]], str]
    ) -> str:
        """Record an intent durably before it is acted on, and return "".

        `objection` gets all of the organization's actions under any name (`ids` as above) while
        no other process can record an intent. If it returns a reason, record no intent and return
        that reason.
        """
        ...

    def end(self, outcome: Outcome) -> None:
        """Record the outcome of an intent."""
        ...


class Format(Protocol):
    """Renders a scan result; equal results render to equal text."""

    def __call__(self, result: ScanResult) -> str:
        """Return the whole document."""
        ...
