"""A changed policy raises no alert: random histories in which policies come, go and change."""

import io
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scanner.announce import announcement, drafts
from scanner.announcement import Route, Sink, Topic
from scanner.cli.summary import print_summary
from scanner.collection import Collection
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.metrics_text import Before, RunFigures, render_metrics
from scanner.inventory import Inventory
from scanner.lifecycle import Resolution, State
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.result import ScanResult
from scanner.scan import compared, scan
from tests.factories import (
    NOW,
    Remembered,
    a_gap,
    a_key,
    ago,
    an_admin_key,
    an_inventory,
    full_coverage,
)
from tests.support.examples import examples

EXAMPLES: Final = examples(50)
DAY: Final = timedelta(days=1)
ROUTES: Final = (Route(name="all", sink=Sink.WEBHOOK, reminder=None),)
RULE: Final = """
  - id: {id}
    title: {title}
    severity: {severity}
    violated_when: {when}
    why: W
    fix: F
"""
OLD: Final = tuple(
    RULE.format(id="old", title=title, severity=severity, when=f"{{ age: {{ over: {days}d }} }}")
    for days, severity, title in (
        (60, "high", "T"),
        (60, "high", "Other words"),
        (60, "low", "T"),
        (90, "high", "T"),
    )
)
UNUSED: Final = RULE.format(id="unused", title="T", severity="low", when="{ used: false }")
ENDLESS: Final = RULE.format(id="endless", title="T", severity="low", when="{ expires: false }")


def policy(*rules: str) -> Policy:
    return parse_policy("policy: mine\nrules:" + "".join(rules), "mine.yaml")


POLICIES: Final = (
    *(policy(old, UNUSED, ENDLESS) for old in OLD),
    policy(OLD[0]),
    policy(UNUSED),
    policy(ENDLESS, OLD[3]),
)


def keys(*numbers: int, gap: bool = False) -> Inventory:
    """Keys that violate some rules or all, and an admin key; with a `gap`, none of the project."""
    made = [
        a_key(
            id=f"key_{number}",
            created_at=ago(days=50 + 15 * number),
            last_used_at=None if number % 2 else NOW - DAY,
            expires_at=None if number % 3 else NOW + 900 * DAY,
        )
        for number in numbers
    ]
    admin = an_admin_key(created_at=ago(days=100), expires_at=NOW + 900 * DAY)
    coverage = full_coverage("proj_1")
    if gap:
        made = []
        rows = (row for row in coverage if row.collection is not Collection.PROJECT_KEYS)
        coverage = (*rows, a_gap(Collection.PROJECT_KEYS, project_id="proj_1"))
    return an_inventory(keys=(*made, admin), coverage=coverage)


def night(store: Remembered, policy: Policy, inventory: Inventory, at: datetime) -> ScanResult:
    scanned = scan(lambda: inventory, [policy], at, lambda: at)
    result = compared(scanned, store, "Acme")
    assert result.history
    store.remember(result.history)
    return result


def sent(result: ScanResult, *, is_first: bool) -> list[tuple[Topic, str, str]]:
    """Return the items of a route's alert: topic, finding, and resolution."""
    known = frozenset[str]() if is_first else frozenset({"all"})
    return [
        (item.topic, item.fingerprint, item.resolution)
        for draft in drafts(result, ROUTES, known)
        for item in draft.announcement.items
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(POLICIES), st.booleans()), min_size=2, max_size=10))
def test_a_change_of_policy_alone_announces_nothing(scans: list[tuple[Policy, bool]]) -> None:
    """The keys do not change, and any of them are listed: a violation is announced once."""
    store, announced = Remembered(), set[str]()
    evaluated: list[set[str]] = []
    for number, (mine, gap) in enumerate(scans):
        at = NOW + timedelta(minutes=number)
        result = night(store, mine, keys(0, 1, 2, 3, 4, gap=gap), at)
        evaluated.append({rule.text.id for rule in mine.rules})
        for topic, fingerprint, _ in sent(result, is_first=not number):
            assert topic is Topic.NEW
            assert fingerprint not in announced
            announced.add(fingerprint)
        assert result.history
        for standing in result.history.standings:
            case, is_evaluated = standing.case, standing.case.rule in evaluated[-1]
            assert (standing.state is State.NOT_EVALUATED) <= (not is_evaluated)
            if standing.state is State.RESOLVED:
                assert case.resolution is Resolution.POLICY_CHANGED
                assert is_evaluated or case.rule not in evaluated[-2]
        assert result.history.mean_time_to_remediate is None


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(POLICIES), st.sets(st.integers(0, 4)), st.booleans()),
        min_size=2,
        max_size=10,
    )
)
def test_what_is_announced_follows_from_the_keys(
    scans: list[tuple[Policy, set[int], bool]],
) -> None:
    """Keys are created and deleted: each announced end is one that was collected."""
    store = Remembered()
    open_for_people, listed, gone = set[str](), set[int](), set[int]()
    for number, (mine, chosen, gap) in enumerate(scans):
        gone |= listed - chosen  # a deleted key does not come back
        listed = chosen - gone
        at = NOW + timedelta(minutes=number)
        result = night(store, mine, keys(*listed, gap=gap), at)
        assert result.history
        cases = {one.case.fingerprint: one.case for one in result.history.standings}
        for topic, fingerprint, words in sent(result, is_first=not number):
            if topic is Topic.RESOLVED:
                assert words in ("key deleted", "key rotated")
                assert cases[fingerprint].key_id not in {f"key_{n}" for n in listed}
                open_for_people.remove(fingerprint)
            else:
                assert topic in (Topic.NEW, Topic.REOPENED)
                assert fingerprint not in open_for_people
                open_for_people.add(fingerprint)


def states(*scans: tuple[Policy, Iterable[int]], every: timedelta = DAY) -> list[dict[str, State]]:
    """Return where each finding of the rule `old` stands after each scan, by its key."""
    store = Remembered()
    found = []
    for number, (mine, numbers) in enumerate(scans):
        result = night(store, mine, keys(*numbers), NOW + every * number)
        assert result.history
        standings = result.history.standings
        found.append({s.case.key_id: s.state for s in standings if s.case.rule == "old"})
    return found


WITH, WITHOUT, STRICT, LAX = policy(OLD[0]), policy(UNUSED), policy(OLD[0]), policy(OLD[3])


def test_a_scan_with_another_policy_leaves_findings_as_they_are() -> None:
    first, second, third = states((WITH, [2]), (WITHOUT, [2]), (WITH, [2]))
    assert first["key_2"] is State.NEW
    assert second["key_2"] is State.NOT_EVALUATED
    assert third["key_2"] is State.UNCHANGED


def test_a_rule_that_two_scans_in_a_row_lack_ends_its_findings_and_brings_them_back() -> None:
    found = states((WITH, [2]), (WITHOUT, [2]), (WITHOUT, [2]), (WITHOUT, [2]), (WITH, [2]))
    assert [one.get("key_2") for one in found] == [
        State.NEW,
        State.NOT_EVALUATED,
        State.RESOLVED,
        None,
        State.UNCHANGED,
    ]


def test_a_violation_that_comes_about_under_the_same_rule_is_reopened() -> None:
    """80 days old under 60 days, then under 90 days, and 6 days later more than 90."""
    found = states((STRICT, [2]), (LAX, [2]), (LAX, [2]), every=6 * DAY)
    assert [one.get("key_2") for one in found] == [State.NEW, State.RESOLVED, State.REOPENED]


def test_a_finding_that_comes_back_keeps_when_it_was_opened() -> None:
    store, policies = Remembered(), (WITH, WITHOUT, WITHOUT, WITH)
    result = [
        night(store, mine, keys(2), NOW + DAY * number) for number, mine in enumerate(policies)
    ][-1]
    assert result.history
    (back,) = (s for s in result.history.standings if s.case.key_id == "key_2")
    assert (back.case.first_seen, back.case.opened_at, back.case.openings) == (NOW, NOW, 1)
    assert back.case.resolved_at is None
    assert back.is_event
    assert announcement(result, ROUTES[0]).items == ()


def test_every_output_states_what_was_not_evaluated() -> None:
    store = Remembered()
    night(store, policy(OLD[0], ENDLESS), keys(1, 2, 3), NOW)
    result = night(store, WITHOUT, keys(1, 2, 3), NOW + DAY)
    assert result.history
    missed = result.history.of(State.NOT_EVALUATED)
    rules = {standing.case.rule for standing in missed}
    report = json.loads(render_json(result))
    assert report["history"]["states"]["not_evaluated"] == len(missed) > len(rules) == 2
    assert report["history"]["scans"][-1]["not_evaluated"] == len(missed)
    console = Console(file=io.StringIO(), width=200)
    print_summary(result, console, shows_all=True)
    assert isinstance(console.file, io.StringIO)
    assert f": {len(missed)} open findings of 2 rules." in console.file.getvalue()
    page = render_html(result)
    assert f"{len(missed)} open findings</a> of 2 rules." in page
    assert all(standing.case.fingerprint in page for standing in missed)
    figures = RunFigures(organization="Acme", ended_at=NOW, seconds=1, is_success=True)
    assert f'keyvigil_not_evaluated{{organization="Acme"}} {len(missed)}\n' in render_metrics(
        result, figures, Before()
    )


@pytest.mark.parametrize("later", [WITH, WITHOUT])
def test_reminders_of_rules_that_were_not_evaluated_wait(later: Policy) -> None:
    store, route = Remembered(), Route(name="all", sink=Sink.WEBHOOK, reminder=DAY)
    night(store, WITH, keys(2), NOW)
    told = announcement(night(store, later, keys(2), NOW + DAY), route)
    is_evaluated = later is WITH
    assert bool(told.counts.get(Topic.REMINDER)) == is_evaluated
