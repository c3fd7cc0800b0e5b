"""The outbox, on SQLite and on PostgreSQL: deliveries are kept with their scan until done."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from scanner.announcement import Delivery, Draft, Part, PartState, Sink, Topic
from scanner.deliver import deliver
from scanner.errors import StoreError
from scanner.lifecycle import Standing, State
from scanner.ports import Lease
from scanner.revocation import Method, Mode, Promise
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.schema import deliveries
from tests.alerts.random_announcements import random_announcement
from tests.factories import NOW
from tests.store.making import ACME, a_case, a_history, a_store

TOMORROW = NOW + timedelta(days=1)
SENDING = Part(state=PartState.SENDING, at=NOW)
SENT = Part(state=PartState.SENT, at=NOW, receipt={"channel": "C1", "ts": "1.2"})


PROMISE = Promise(Mode.ENFORCE, Method.DELETE, timedelta(days=7), timedelta(days=7), "d")


def named(delivery: Delivery) -> frozenset[str]:
    """Return the fingerprints of all items of a delivery."""
    return frozenset(item.fingerprint for item in delivery.draft.announcement.items)


def a_draft(seed: int = 3, route: str = "security") -> Draft:
    return Draft(route, Sink.SLACK, "#security", random_announcement(seed))


def a_notice(since: datetime) -> Draft:
    """Return an alert that announces one revocation; the finding is open since `since`."""
    found = next(a_draft(seed) for seed in range(99) if a_draft(seed).announcement.items)
    item = found.announcement.items[0]._replace(
        topic=Topic.NEW, since=since, revocation="will be deleted", promise=PROMISE
    )
    announcement = replace(found.announcement, items=(item,), counts={item.topic: 1})
    return found._replace(announcement=announcement)


def record(store: SqlStore, lease: Lease, *told: Draft) -> None:
    history = a_history(NOW, Standing(State.NEW, a_case()))
    store.record(lease, history, b"seen", told)


@pytest.mark.parametrize("seed", range(12))
def test_deliveries_are_read_back_unchanged(place: str, seed: int) -> None:
    store = a_store(place)
    draft = a_draft(seed)
    with store.hold(ACME) as lease:
        record(store, lease, draft, a_draft(seed, route="other"))
    own, other = sorted(a_store(place).outbox.pending(ACME), key=lambda one: one.draft.route)[::-1]
    assert (own.draft, own.made_at, own.parts) == (draft, NOW, {})
    assert other.id != own.id
    assert store.outbox.pending("Other") == ()


def test_a_scan_that_is_not_recorded_has_no_deliveries(place: str) -> None:
    store = a_store(place)
    lost = Lease(organization=ACME, holder="nobody", token=9)
    with pytest.raises(StoreError):
        record(store, lost, a_draft())
    assert store.outbox.pending(ACME) == ()


def test_parts_are_recorded_and_a_completed_delivery_is_not_pending(place: str) -> None:
    store = a_store(place)
    outbox = store.outbox
    with store.hold(ACME) as lease:
        record(store, lease, a_draft())
        (delivery,) = outbox.pending(ACME)
        outbox.note(lease, delivery.id, "message", SENDING)
        outbox.note(lease, delivery.id, "thread-1", SENDING)
        outbox.note(lease, delivery.id, "message", SENT)
        (begun,) = outbox.pending(ACME)
        assert begun.parts == {"message": SENT, "thread-1": SENDING}
        outbox.close(lease, delivery, NOW, named(delivery), starts_grace=True)
    assert outbox.pending(ACME) == ()
    (done,) = outbox.delivered(ACME, "security", "#security", NOW)
    assert done.parts["message"].receipt == {"channel": "C1", "ts": "1.2"}
    assert outbox.delivered(ACME, "security", "#other", NOW) == ()
    assert outbox.delivered(ACME, "security", "#security", TOMORROW) == ()


def test_a_scan_that_lost_the_lock_cannot_record_deliveries(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        record(store, lease, a_draft())
        (delivery,) = store.outbox.pending(ACME)
    with store.hold(ACME):
        with pytest.raises(StoreError, match=ACME):
            store.outbox.note(lease, delivery.id, "message", SENDING)
        with pytest.raises(StoreError, match=ACME):
            store.outbox.close(lease, delivery, NOW, named(delivery), starts_grace=True)
    assert [one.parts for one in store.outbox.pending(ACME)] == [{}]


def test_pruning_keeps_pending_deliveries_and_the_routes_of_others(place: str) -> None:
    store, late = a_store(place), NOW + timedelta(days=4000)
    outbox = store.outbox
    with store.hold(ACME) as lease:
        record(store, lease, a_draft(), a_draft(route="other"))
        store.prune(ACME, late)
        first, second = outbox.pending(ACME)
        outbox.close(lease, first, NOW, named(first), starts_grace=True)
        outbox.close(lease, second, NOW, None, starts_grace=True)
    assert len(outbox.delivered(ACME, first.draft.route, "#security", NOW)) == 1
    for _ in range(2):
        store.prune(ACME, late)
        assert outbox.routes(ACME) == {"security", "other"}
        assert outbox.routes(ACME, NOW) == frozenset()
        assert outbox.delivered(ACME, first.draft.route, "#security", NOW) == ()
    with open_database(place).reading() as connection:
        kept = connection.execute(select(deliveries)).all()
    assert [(row.target, row.content, row.receipt) for row in kept] == [("", {}, None)] * 2


def test_pruning_keeps_the_messages_that_later_alerts_of_the_day_join(place: str) -> None:
    """Also if the later alert is pending for days."""
    store = a_store(place, scans=timedelta(hours=1))
    outbox = store.outbox
    with store.hold(ACME) as lease:
        record(store, lease, a_draft())
        (first,) = outbox.pending(ACME)
        outbox.close(lease, first, NOW, named(first), starts_grace=True)
        later = a_history(NOW + timedelta(hours=2), number=1)
        store.record(lease, later, b"seen", [a_draft(4)])
        store.prune(ACME, NOW + timedelta(days=3))
        assert len(outbox.delivered(ACME, "security", "#security", NOW)) == 1
        (second,) = outbox.pending(ACME)
        outbox.close(lease, second, NOW, named(second), starts_grace=True)
    store.prune(ACME, NOW + timedelta(days=3))
    assert outbox.delivered(ACME, "security", "#security", NOW) == ()


def test_the_deliveries_pending_at_the_start_of_a_scan_are_known_later(place: str) -> None:
    store = a_store(place)
    outbox = store.outbox
    with store.hold(ACME) as lease:
        record(store, lease, a_draft())
        (delivery,) = outbox.pending(ACME)
        outbox.close(lease, delivery, TOMORROW, named(delivery), starts_grace=True)
    assert outbox.pending(ACME) == ()
    assert [one.id for one in outbox.pending(ACME, TOMORROW)] == [delivery.id]
    assert outbox.pending(ACME, NOW) == ()
    assert outbox.pending(ACME, TOMORROW + timedelta(seconds=1)) == ()


def test_the_notice_date_is_the_first_since_the_finding_was_last_reopened(place: str) -> None:
    """A second route, a reminder and an escalation keep it; a reopened finding resets it."""
    store, outbox = a_store(place), a_store(place).outbox
    found = next(a_draft(seed) for seed in range(99) if a_draft(seed).announcement.items)
    item = found.announcement.items[0]._replace(
        topic=Topic.NEW, since=NOW, revocation="will be deleted", promise=PROMISE
    )
    anew = item._replace(topic=Topic.REOPENED, since=NOW + timedelta(hours=40))
    nights = [
        (item._replace(revocation="", promise=None), 0),
        (item, 1),
        (item, 2),
        (item._replace(topic=Topic.REMINDER, promise=None), 20),
        (item._replace(topic=Topic.ESCALATED, promise=None), 30),
        (anew, 41),
        (anew._replace(topic=Topic.RESOLVED, revocation="", promise=None), 50),
        (anew._replace(promise=PROMISE._replace(mode=Mode.PLAN)), 60),
    ]
    told = []
    for number, (one, at) in enumerate(nights):
        history = a_history(NOW + timedelta(hours=at), number=number)
        announcement = replace(found.announcement, items=(one,), counts={one.topic: 1})
        draft = found._replace(route=f"route-{number}", announcement=announcement)
        with store.hold(ACME) as lease:
            store.record(lease, history, b"seen", [draft])
            (delivery,) = outbox.pending(ACME)
            outbox.close(
                lease, delivery, NOW + timedelta(hours=at), named(delivery), starts_grace=True
            )
        known = outbox.announced(ACME).get(item.fingerprint)
        hours = ((at - NOW) / timedelta(hours=1) for at in known[:2]) if known else ()
        told.append(tuple(hours))
    assert told == [(), (1, 1), (1, 2), (1, 20), (1, 30), (41, 41), (41, 41), (60, 60)]
    assert outbox.announced("Other") == {}


def test_a_notice_under_a_clock_that_is_not_verified_starts_no_grace_period(place: str) -> None:
    store, outbox = a_store(place), a_store(place).outbox
    noticed = []
    for number, starts_grace in enumerate((False, True, False)):
        draft = a_notice(NOW)._replace(route=f"route-{number}")
        at = NOW + timedelta(hours=number)
        with store.hold(ACME) as lease:
            store.record(lease, a_history(at, number=number), b"seen", [draft])
            (delivery,) = outbox.pending(ACME)
            outbox.close(lease, delivery, at, named(delivery), starts_grace=starts_grace)
        noticed.append({one.at for one in outbox.announced(ACME).values()})
    later = NOW + timedelta(hours=1)
    assert noticed == [set(), {later}, {later}]


@pytest.mark.parametrize("at", [NOW - timedelta(days=30), NOW, NOW + timedelta(minutes=1)])
def test_a_notice_delivered_before_the_clock_was_verified_starts_no_grace_period(
    place: str, at: datetime
) -> None:
    """The clock was verified during the scan, and set back before the delivery."""
    store = a_store(place)
    with store.hold(ACME) as lease:
        store.record(lease, a_history(NOW), b"seen", [a_notice(NOW)])
        sinks = {"security": lambda delivery, _log, _page: named(delivery)}
        failed = deliver(
            store.outbox, lease, sinks, lambda: at, lambda _: None, masks=False, verified_at=NOW
        )
        assert not list(failed)
    assert [one.at for one in store.outbox.announced(ACME).values()] == [at] * (at >= NOW)


def test_a_finding_that_is_reopened_needs_another_notice(place: str) -> None:
    """Also if the clock was behind at the reopening, so that the notice seems to be later."""
    store = a_store(place)
    case = a_case(fingerprint=a_notice(NOW).announcement.items[0].fingerprint)
    states = (State.NEW, State.UNCHANGED, State.RESOLVED, State.REOPENED)
    noticed = []
    for number, state in enumerate(states):
        at = NOW + timedelta(days=number)
        opened_at = NOW - timedelta(days=1) if state is State.REOPENED else NOW
        standing = Standing(state, case._replace(opened_at=opened_at))
        with store.hold(ACME) as lease:
            draft = a_notice(NOW)._replace(route=f"route-{number}")
            store.record(lease, a_history(at, standing, number=number), b"seen", [draft])
            noticed.append(len(store.outbox.announced(ACME)))
            for delivery in store.outbox.pending(ACME):
                is_first = state is State.NEW
                store.outbox.close(lease, delivery, at, named(delivery), starts_grace=is_first)
    assert noticed == [0, 1, 1, 0]


def test_a_notice_dated_in_the_future_is_replaced(place: str) -> None:
    """The clock was ahead; the next notice under a correct clock starts the grace period."""
    store = a_store(place)
    for number, at in enumerate((NOW + timedelta(days=30), TOMORROW, TOMORROW + timedelta(1))):
        with store.hold(ACME) as lease:
            history = a_history(NOW + timedelta(hours=number), number=number)
            draft = a_notice(NOW)._replace(route=f"route-{number}")
            store.record(lease, history, b"seen", [draft])
            (delivery,) = store.outbox.pending(ACME)
            store.outbox.close(lease, delivery, at, named(delivery), starts_grace=True)
    ((first, last, _),) = store.outbox.announced(ACME).values()
    assert (first, last) == (TOMORROW, TOMORROW + timedelta(1))


def test_a_delivery_that_is_given_up_is_not_a_notice(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        record(store, lease, a_draft())
        (delivery,) = store.outbox.pending(ACME)
        store.outbox.close(lease, delivery, NOW, None, starts_grace=True)
    assert store.outbox.announced(ACME) == {}
    assert store.outbox.pending(ACME) == ()
