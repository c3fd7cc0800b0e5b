"""Delivers the pending alerts of the outbox; a failing sink does not affect the others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from scanner.announcement import Delivery, Part, PartState, Sink
from scanner.errors import AlertError, KeyVigilError
from scanner.ports import AlertSink, Clock, Lease, Log, Outbox, Page
from scanner.redaction import without_addresses_in_draft

GIVEN_UP: Final = timedelta(days=30)
"""How long a delivery without a configured route stays pending, in case the route returns."""


def deliver(  # noqa: PLR0913 - five ports, how alerts are shown, and what they start
    outbox: Outbox,
    lease: Lease,
    sinks: Mapping[str, AlertSink],
    clock: Clock,
    page_of: Callable[[str], bytes | None],
    *,
    masks: bool,
    verified_at: datetime | None,
) -> Iterator[AlertError]:
    """Deliver the pending alerts, channels before owners and oldest first; yield the errors.

    `page_of` returns a scan's HTML report, if available. `masks`: mask addresses also in alerts
    that were recorded unmasked. `verified_at` is when this machine's clock agreed with the API's,
    None if it did not: only notices delivered later start grace periods. Raise StoreError if the
    outbox fails.
    """
    failed: set[str] = set()
    pending = outbox.pending(lease.organization)
    for delivery in sorted(pending, key=lambda one: one.draft.sink is Sink.SLACK_OWNERS):
        route = delivery.draft.route
        sink = sinks.get(route)
        if sink is None:
            if clock() - delivery.made_at > GIVEN_UP:
                outbox.close(lease, delivery, clock(), None, starts_grace=False)
            continue
        if route in failed:
            continue  # the next scan delivers it, which keeps the order
        log = _Log(outbox, lease, delivery, clock, masks=masks)
        scan_id = delivery.draft.announcement.scan_id
        shown = _masked(delivery) if masks else delivery
        named = _sent(sink, shown, log, partial(page_of, scan_id))
        if isinstance(named, AlertError):
            failed.add(route)
            yield named
        else:
            at = clock()
            starts_grace = verified_at is not None and at >= verified_at
            outbox.close(lease, delivery, at, named, starts_grace=starts_grace)


def _masked(delivery: Delivery) -> Delivery:
    return replace(delivery, draft=without_addresses_in_draft(delivery.draft))


def _sent(sink: AlertSink, delivery: Delivery, log: Log, page: Page) -> frozenset[str] | AlertError:
    """Deliver to one route; return the findings it named, or the error, so that others go on."""
    route = delivery.draft.route
    try:
        return sink(delivery, log, page)
    except AlertError as error:
        return AlertError(
            f"The alert for the route '{route}' was not delivered: {error}", help=error.help
        )
    except KeyVigilError:
        raise
    except Exception as error:  # noqa: BLE001 - one sink among several
        return AlertError(
            f"The alert for the route '{route}' was not delivered: internal error:"
            f" {type(error).__name__}.",
            help="Report this bug. The next scan retries the delivery.",
        )


class _Log:
    """Implements Log: one delivery's parts, in memory and in the outbox."""

    def __init__(
        self, outbox: Outbox, lease: Lease, delivery: Delivery, clock: Clock, *, masks: bool
    ) -> None:
        self._outbox, self._lease, self._delivery, self._clock = outbox, lease, delivery, clock
        self._masks = masks
        self._parts = dict(delivery.parts)

    def part(self, name: str) -> Part | None:
        """Return a part's state; None: it was not begun."""
        return self._parts.get(name)

    def begin(self, name: str, **receipt: str) -> None:
        """Note that a part is about to be sent, and its target."""
        self._note(name, Part(state=PartState.SENDING, at=self._clock(), receipt=receipt))

    def done(self, name: str, **receipt: str) -> None:
        """Note that a part arrived."""
        self._note(name, Part(state=PartState.SENT, at=self._clock(), receipt=receipt))

    def earlier_today(self) -> tuple[Delivery, ...]:
        """Return the deliveries to the same target of the same day's scans."""
        draft, made_at = self._delivery.draft, self._delivery.made_at
        morning = made_at.replace(hour=0, minute=0, second=0, microsecond=0)
        organization = self._lease.organization
        earlier = self._outbox.delivered(organization, draft.route, draft.target, morning)
        return tuple(map(_masked, earlier)) if self._masks else earlier

    def _note(self, name: str, part: Part) -> None:
        self._outbox.note(self._lease, self._delivery.id, name, part)
        self._parts[name] = part
