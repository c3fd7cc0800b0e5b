"""A history that is pruned with every scan sends the same alerts as one that is not pruned."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.announce import drafts
from scanner.announcement import Draft, Route, Sink
from scanner.collection import Collection
from scanner.guards import Known
from scanner.inventory import Inventory
from scanner.lifecycle import Case
from scanner.receipt import Revocation
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.revocation import Mode
from scanner.scan import compared, remember, scan
from scanner.store.history import SqlStore
from tests.factories import NOW, a_gap
from tests.planning import SEEN, WIDE, a_policy, old, seen
from tests.store.making import a_store

ROUTES = (
    Route(name="once", sink=Sink.SLACK, to="#a", reminder=None),
    Route(name="often", sink=Sink.WEBHOOK, to="HOOK", reminder=timedelta(days=3)),
    Route(name="later", sink=Sink.EMAIL, to="a@example.com"),
    Route(name="owners", sink=Sink.SLACK_OWNERS, to="#a", reminder=None),
)
POLICY = a_policy(after="14d")
_names = count()


@dataclass(frozen=True, kw_only=True)
class Day:
    """A scan some hours after the previous one: its keys, and its failures."""

    hours: int
    keys: frozenset[int]
    is_blind: bool = False
    is_delivered: bool = True

    @property
    def inventory(self) -> Inventory:
        keys = (old(id=f"key_{n}", name=f"k{n}", expires_at=None) for n in sorted(self.keys))
        if not self.is_blind:
            return seen(*keys)
        others = (one for one in SEEN if one.collection is not Collection.USERS)
        return seen(*keys, coverage=(*others, a_gap(Collection.USERS)))


@dataclass(kw_only=True)
class Recording:
    """Scans of a separate organization in a store, and all alerts of these scans."""

    store: SqlStore
    prunes: bool
    organization: str = field(default_factory=lambda: f"Acme {next(_names)}")
    at: datetime = NOW
    made: list[list[Draft]] = field(default_factory=list)

    def scan(self, day: Day) -> None:
        for _ in range(day.hours // 24 if self.prunes else 0):
            self.at += timedelta(days=1)
            self.store.prune(self.organization, self.at)
        self.at += timedelta(hours=day.hours % 24 if self.prunes else day.hours)
        at, store, outbox = self.at, self.store, self.store.outbox
        with store.hold(self.organization) as lease:
            done = scan(lambda: day.inventory, [POLICY], at, lambda: at)
            bounds = replace(WIDE, mode=Mode.ENFORCE)
            scene = Scene(
                result=compared(done, store, self.organization),
                inventory=day.inventory,
                policies=[POLICY],
                bounds=bounds,
                known=Known(announced=outbox.announced(self.organization)),
            )
            revocation = Revocation(mode=bounds.mode, plan=make_plan_of_revocation(scene))
            result = replace(scene.result, revocation=revocation)
            alerts = drafts(result, ROUTES, outbox.routes(self.organization))
            remember(result, store, lease, b"", alerts)
            self.made.append([_without_id(one) for one in alerts])
            for one in outbox.pending(self.organization) if day.is_delivered else ():
                items = one.draft.announcement.items
                outbox.close(
                    lease, one, at, frozenset(item.fingerprint for item in items), starts_grace=True
                )

    def open_cases(self) -> tuple[Case, ...]:
        return tuple(sorted(self.store.cases(self.organization, ())))


def _without_id(draft: Draft) -> Draft:
    return draft._replace(announcement=replace(draft.announcement, scan_id=""))


def both(place: str, days: Sequence[Day]) -> tuple[Recording, Recording]:
    """Return a history that keeps three days and is pruned daily, and one that keeps all."""
    pruned = Recording(store=a_store(place, scans=timedelta(days=3), snapshots=1), prunes=True)
    whole = Recording(store=a_store(place, scans=timedelta(days=4000)), prunes=False)
    for day in days:
        pruned.scan(day)
        whole.scan(day)
    return pruned, whole


@st.composite
def histories(draw: st.DrawFn) -> list[Day]:
    """Scans a few hours to days apart; resolved findings are not reopened."""
    gone: frozenset[int] = frozenset()
    days: list[Day] = []
    for _ in range(draw(st.integers(2, 8))):
        gone |= draw(st.frozensets(st.integers(0, 3), max_size=1))
        there = draw(st.frozensets(st.integers(0, 6), min_size=1)) if not days else days[-1].keys
        there |= draw(st.frozensets(st.integers(0, 6), max_size=1))
        days.append(
            Day(
                hours=draw(st.sampled_from((1, 24, 24, 50, 120, 240))),
                keys=there - gone,
                is_blind=draw(st.booleans()),
                is_delivered=draw(st.integers(0, 3)) > 0,
            )
        )
    return days


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(histories())
def test_pruning_changes_no_alert_and_no_open_finding(place: str, days: list[Day]) -> None:
    pruned, whole = both(place, days)
    assert pruned.made == whole.made
    assert pruned.open_cases() == whole.open_cases()


def test_months_of_pruning_change_no_reminder_and_no_notice(place: str) -> None:
    """A finding that stays open, with one scan every ten days; then incomplete scans."""
    open_ = frozenset({1})
    days = [Day(hours=240, keys=open_) for _ in range(4)]
    days += [Day(hours=24, keys=open_, is_blind=True) for _ in range(16)]
    pruned, whole = both(place, days)
    assert pruned.made == whole.made
    made: list[Any] = [{one.route for one in alerts} for alerts in pruned.made]
    assert made[0] == {"once", "often", "later", "owners"}
    assert {"often", "later"} <= made[2]
    assert len(pruned.store.nights(pruned.organization, 100)) < 8


@pytest.mark.parametrize(
    ("clock_ahead", "kept"), [(timedelta(days=730), 2), (timedelta(), 1), (None, 1)]
)
def test_a_scan_whose_clock_is_ahead_deletes_no_rows(
    place: str, clock_ahead: timedelta | None, kept: int
) -> None:
    store = a_store(place, snapshots=1)
    for at, ahead in ((NOW, timedelta()), (NOW + timedelta(days=730), clock_ahead)):
        inventory = seen(clock_ahead=ahead)
        scanned = scan(partial(replace, inventory), [POLICY], at, lambda: NOW)
        with store.hold("Acme") as lease:
            remember(compared(scanned, store, "Acme"), store, lease, b"seen")
    assert len(store.nights("Acme", 9)) == kept
