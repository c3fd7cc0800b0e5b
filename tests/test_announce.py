"""The alerts of a scan, and their routes."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.announce import announcement, drafts
from scanner.announcement import MOST_ITEMS, Announcement, Route, Sink, Topic
from scanner.collection import Collection
from scanner.inventory import Inventory
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import compared, scan
from scanner.severity import Severity
from tests.factories import (
    NOW,
    Remembered,
    a_gap,
    a_key,
    a_project,
    a_remembered_result,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)

BEN = an_owner(id="user-2", name="Ben", email="Ben@Example.com")
KNOWN = frozenset({"security"})
LOWERED = """\
policy: mine
rules:
  - id: old
    title: T
    severity: {high}
    violated_when: {{ age: {{ over: 90d }} }}
    why: W
    fix: F
"""
GRADED = LOWERED.format(high="low") + "    severity_when: { high: { used: false } }\n"
OLD = {"created_at": ago(days=100)}


def route(**changes: Any) -> Route:
    return replace(Route(name="security", sink=Sink.SLACK, to="#security"), **changes)


def nights(*inventories: Inventory, every: timedelta = timedelta(days=1)) -> ScanResult:
    """Return the result of the last of these scans, which runs now."""
    store = Remembered()
    result: ScanResult | None = None
    for nights_ago, inventory in sorted(enumerate(reversed(inventories)), reverse=True):
        result = night(store, inventory, NOW - every * nights_ago)
    assert result
    return result


def night(
    store: Remembered, inventory: Inventory, moment: datetime, *policies: Policy
) -> ScanResult:
    policies = policies or load_policies(["baseline"])
    scanned = scan(lambda: inventory, policies, moment, lambda: moment)
    result = compared(scanned, store, "Acme")
    assert result.history
    store.remember(result.history)
    return result


def keys(*ids: str, **changes: Any) -> Inventory:
    return an_inventory(keys=tuple(a_key(id=one, name=one, **OLD, **changes) for one in ids))


def told(result: ScanResult, **changes: Any) -> list[tuple[str, str]]:
    return [(i.key_id, i.topic.value) for i in announcement(result, route(**changes)).items]


def test_new_and_resolved_are_told_and_what_persists_is_not() -> None:
    result = nights(keys("key_stays", "key_goes"), keys("key_stays", "key_comes"))
    assert told(result) == [("key_comes", "new"), ("key_goes", "resolved")]
    assert announcement(result, route()).by_severity[Severity.HIGH] == 2


def test_everything_that_can_change_is_told_as_what_it_is() -> None:
    told_of = announcement(a_remembered_result(), route())
    assert set(told_of.counts) == {Topic.NEW, Topic.RESOLVED}
    assert sum(told_of.counts.values()) == len(told_of.items)
    assert told_of.gaps
    assert all(item.evidence and item.fix for item in told_of.of(Topic.NEW))
    assert all(item.resolution for item in told_of.of(Topic.RESOLVED))


def test_a_night_without_news_is_quiet_unless_it_is_to_be_told_or_saw_too_little() -> None:
    same = nights(keys("key_1"), keys("key_1"))
    assert drafts(same, [route()], KNOWN) == ()
    (summary,) = drafts(same, [route(quiet=False)], KNOWN)
    assert summary.announcement.counts == {}
    gap = a_gap(Collection.USERS)
    blind = replace(keys("key_1"), coverage=(*full_coverage("proj_1"), gap))
    (draft,) = drafts(nights(keys("key_1"), blind), [route()], KNOWN)
    assert draft.announcement.gaps


def test_scans_that_see_too_little_night_after_night_say_so_once_and_when_it_is_due_again() -> None:
    gap = a_gap(Collection.USERS)
    blind = replace(keys("key_1"), coverage=(*full_coverage("proj_1"), gap))
    own = [route(reminder=timedelta(days=7), rules=("none",))]
    told = [bool(drafts(nights(*[blind] * count), own, KNOWN)) for count in range(1, 10)]
    assert told == [count in {1, 8} for count in range(1, 10)]
    mended = drafts(nights(blind, keys("key_1"), blind), own, KNOWN)
    assert len(mended) == 1


def test_a_route_that_was_never_told_anything_hears_of_all_that_is_open() -> None:
    same = nights(keys("key_1"), keys("key_1"))
    (draft,) = drafts(same, [route(rules=("key-too-old",))], frozenset())
    assert draft.announcement.counts == {Topic.REMINDER: 1}


def graded(*nights: tuple[Policy, Inventory]) -> ScanResult:
    """Return the result of the last of these scans."""
    store = Remembered()
    results = [
        night(store, inventory, NOW + timedelta(days=number), policy)
        for number, (policy, inventory) in enumerate(nights)
    ]
    return results[-1]


def test_what_is_no_longer_bad_enough_for_a_route_is_resolved_for_it() -> None:
    """A route for high announces that the finding is now below its severity."""
    policy = parse_policy(GRADED, "p.yaml")
    result = graded((policy, keys("key_1", last_used_at=None)), (policy, keys("key_1")))
    (item,) = announcement(result, route(severity=Severity.HIGH)).items
    assert (item.topic, item.resolution) == (Topic.RESOLVED, "now low")
    assert announcement(result, route()).items == ()
    worse = graded((policy, keys("key_1")), (policy, keys("key_1", last_used_at=None)))
    assert told(worse) == [("key_1", "escalated")]


@pytest.mark.parametrize(("before", "later"), [("high", "low"), ("low", "high")])
def test_a_severity_that_only_the_policy_changed_is_not_announced(before: str, later: str) -> None:
    policies = [parse_policy(LOWERED.format(high=one), "p.yaml") for one in (before, later)]
    result = graded(*((policy, keys("key_1")) for policy in policies))
    assert result.history
    assert {standing.by_policy for standing in result.history.standings} == {True}
    assert announcement(result, route()).items == ()
    assert announcement(result, route(severity=Severity.HIGH)).items == ()


@pytest.mark.parametrize(
    ("before", "later", "topic"), [("high", "low", ""), ("low", "high", "escalated")]
)
def test_a_finding_recorded_without_its_grading_is_not_resolved_by_an_upgrade(
    before: str, later: str, topic: str
) -> None:
    """What a severity followed from was not recorded in 0.1.0: only a worse one is announced."""
    store = Remembered()
    old, new = (parse_policy(LOWERED.format(high=one), "p.yaml") for one in (before, later))
    history = night(store, keys("key_1"), NOW, old).history
    assert history
    ungraded = (one._replace(case=one.case._replace(grading="")) for one in history.standings)
    store.remember(replace(history, standings=tuple(ungraded)))
    result = night(store, keys("key_1"), NOW + timedelta(days=1), new)
    assert result.history
    assert {standing.before for standing in result.history.standings} == {Severity(before)}
    items = announcement(result, route(severity=Severity.HIGH)).items
    assert [item.topic.value for item in items] == [topic] * bool(topic)


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, {"key_1", "key_2"}),
        ({"severity": Severity.CRITICAL}, set()),
        ({"severity": Severity.HIGH}, {"key_1", "key_2"}),
        ({"projects": ("sea*",)}, {"key_1"}),
        ({"projects": ("proj_2",)}, {"key_2"}),
        ({"rules": ("key-too-*",)}, {"key_1", "key_2"}),
        ({"rules": ("owner-*",)}, set()),
        ({"owners": ("ada@*",)}, {"key_1"}),
        ({"owners": ("ada@*", "user-2")}, {"key_1", "key_2"}),
        ({"projects": ("search",), "owners": ("Ben*",)}, set()),
    ],
)
def test_a_route_lets_pass_what_it_asks_for(changes: dict[str, Any], ids: set[str]) -> None:
    inventory = an_inventory(
        keys=(a_key(**OLD), a_key(id="key_2", project_id="proj_2", owner=BEN, **OLD)),
        projects=(a_project(), a_project(id="proj_2", name="shop")),
        users=(),
        coverage=full_coverage("proj_1", "proj_2"),
    )
    result = nights(inventory)
    assert {item.key_id for item in announcement(result, route(**changes)).items} == ids
    whole = announcement(result, route(**changes))
    assert whole.by_severity[Severity.HIGH] == len(ids)


def test_each_owner_hears_of_their_own_keys_and_of_no_others() -> None:
    nobody = an_owner(id="user-3", email=None, name="Nobody")
    inventory = an_inventory(
        keys=(
            a_key(**OLD),
            a_key(id="key_2", owner=BEN, **OLD),
            a_key(id="key_3", owner=replace(BEN, email="ben@example.com"), **OLD),
            a_key(id="key_4", owner=nobody, **OLD),
        ),
        users=(),
    )
    heard = {
        draft.target: {item.key_id for item in draft.announcement.items}
        for draft in drafts(
            nights(inventory), [route(sink=Sink.SLACK_OWNERS, severity=Severity.HIGH)], KNOWN
        )
    }
    assert heard == {
        "ada@example.com": {"key_1"},
        "ben@example.com": {"key_2", "key_3"},
        "": {"key_4"},
    }


def test_of_a_flood_the_worst_are_listed_and_all_are_counted() -> None:
    inventory = keys(*(f"key_{n}" for n in range(MOST_ITEMS + 50)))
    flood = announcement(nights(inventory), route())
    assert len(flood.items) == MOST_ITEMS
    assert flood.counts[Topic.NEW] == MOST_ITEMS + 50


@settings(deadline=None)
@given(
    gaps=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    every=st.integers(1, 15),
)
def test_a_reminder_comes_once_for_each_time_that_has_passed(gaps: list[int], every: int) -> None:
    """For any times of scans: one reminder per interval, and none is lost."""
    store = Remembered()
    inventory, moment = keys("key_1", expires_at=None), NOW
    reminders = 0
    for gap in [0, *gaps]:
        moment += timedelta(days=gap)
        result = night(store, inventory, moment)
        own = route(reminder=timedelta(days=every), rules=("key-too-old",))
        due = announcement(result, own).counts.get(Topic.REMINDER, 0)
        passed = (moment - NOW) // timedelta(days=every)
        before = (moment - timedelta(days=gap) - NOW) // timedelta(days=every)
        assert due == (passed > before)
        reminders += due
    assert reminders <= sum(gaps) // every


def test_a_route_without_reminders_tells_nothing_again() -> None:
    old = an_inventory(keys=(a_key(created_at=ago(days=200)),))
    result = nights(old, old, every=timedelta(days=14))
    assert told(result, rules=("key-too-old",)) == [("key_1", "reminder")]
    assert told(result, rules=("key-too-old",), reminder=None) == []


def test_figures_of_a_route_are_those_of_what_it_lets_pass() -> None:
    whole: Announcement = announcement(a_remembered_result(), route())
    high = announcement(a_remembered_result(), route(severity=Severity.HIGH))
    counts = Counter(f.severity for f in a_remembered_result().violations)
    assert whole.by_severity == {severity: counts[severity] for severity in Severity}
    assert high.by_severity[Severity.LOW] == 0
    assert high.by_severity[Severity.CRITICAL] == counts[Severity.CRITICAL]
