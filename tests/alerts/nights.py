"""Nights from the walk to the alert: a store, a fake Slack, and what goes wrong between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scanner.alerts.slack import SlackSink
from scanner.alerts.slack_api import SlackApi
from scanner.announce import drafts
from scanner.announcement import Delivery, Part, Route, Sink
from scanner.deliver import deliver
from scanner.errors import AlertError
from scanner.inventory import Inventory
from scanner.policy_files import load_policies
from scanner.ports import AlertSink, Lease, Outbox
from scanner.scan import compared, remember, scan
from scanner.secret import Secret
from scanner.store.history import SqlStore
from tests.alerts.fake_slack.driving import TOKEN, Driven
from tests.factories import NOW

ROUTE = Route(name="security", sink=Sink.SLACK, to="#alerts")
ORGANIZATION = "Acme"


class Killed(BaseException):
    """The process ends here, as by a signal that nobody can catch."""


@dataclass(kw_only=True)
class Deadly:
    """An outbox whose process is killed before its n-th note, counted from 1."""

    outbox: Outbox
    at: int
    noted: int = 0

    def pending(self, organization: str, at: datetime | None = None) -> tuple[Delivery, ...]:
        return self.outbox.pending(organization, at)

    def delivered(self, *place: Any) -> tuple[Delivery, ...]:
        return self.outbox.delivered(*place)

    def routes(self, organization: str, before: datetime | None = None) -> frozenset[str]:
        return self.outbox.routes(organization, before)

    def note(self, lease: Lease, delivery_id: str, name: str, part: Part) -> None:
        self._count()
        self.outbox.note(lease, delivery_id, name, part)

    def close(
        self,
        lease: Lease,
        delivery: Delivery,
        at: datetime,
        named: frozenset[str] | None,
        *,
        starts_grace: bool,
    ) -> None:
        self._count()
        self.outbox.close(lease, delivery, at, named, starts_grace=starts_grace)

    def _count(self) -> None:
        self.noted += 1
        if self.noted == self.at:
            raise Killed


@dataclass(kw_only=True)
class Nights:
    """Runs nights against a store and a Slack, at times of its own."""

    store: SqlStore
    slack: Driven
    token: str = TOKEN
    routes: Sequence[Route] = (ROUTE,)
    moment: datetime = NOW
    slept: list[float] = field(default_factory=list)
    page: bytes | None = None
    masks: bool = False

    def sinks(self) -> dict[str, AlertSink]:
        api = SlackApi(
            Secret(self.token),
            clock=self.slack.clock,
            sleep=self._sleep,
            base_url=self.slack.address.api_url,
        )
        return {
            route.name: SlackSink(route, api, clock=self._now, sleep=self._sleep, report="")
            for route in self.routes
        }

    def night(
        self, inventory: Inventory, *, after: timedelta = timedelta(days=1), killed_at: int = 0
    ) -> list[AlertError]:
        """Scan, remember and tell, some time after the night before; return what failed.

        With `killed_at` the process ends before that note in the outbox: raises Killed.
        """
        self.moment += after
        self.slack.clock.at = self.moment.timestamp()
        at, policies = self.moment, load_policies(["baseline"])
        with self.store.hold(ORGANIZATION) as lease:
            scanned = scan(lambda: inventory, policies, at, lambda: at)
            result = compared(scanned, self.store, ORGANIZATION)
            known = self.store.outbox.routes(ORGANIZATION)
            remember(result, self.store, lease, b"", drafts(result, self.routes, known))
            return self.tell(lease, killed_at)

    def again(self, killed_at: int = 0) -> list[AlertError]:
        """Tell what is left, as the next scan does that finds nothing new."""
        with self.store.hold(ORGANIZATION) as lease:
            return self.tell(lease, killed_at)

    def tell(self, lease: Lease, killed_at: int) -> list[AlertError]:
        outbox: Outbox = self.store.outbox
        if killed_at:
            outbox = Deadly(outbox=outbox, at=killed_at)
        return list(
            deliver(
                outbox,
                lease,
                self.sinks(),
                self._now,
                lambda _: self.page,
                masks=self.masks,
                verified_at=self._now(),
            )
        )

    @property
    def left(self) -> int:
        """How many alerts wait."""
        return len(self.store.outbox.pending(ORGANIZATION))

    def _now(self) -> datetime:
        return self.moment

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.slack.clock.at += seconds


Play = Callable[..., Driven]
