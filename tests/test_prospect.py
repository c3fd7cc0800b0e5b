"""Notices before and alerts after a key is revoked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scanner.announce import drafts
from scanner.announce_acts import drafts_of_acts
from scanner.announcement import Route, Sink, Topic
from scanner.guards import Known
from scanner.prospect import prospects
from scanner.receipt import Act, Outcome, Result, Revocation
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.result import ScanResult
from scanner.revocation import Bounds, Mode
from scanner.scan import compared, scan
from tests.factories import NOW, Remembered
from tests.planning import WIDE, a_policy, an_intent, old, promised, seen
from tests.support.prose import Prose

CHANNEL = Route(name="channel", sink=Sink.SLACK, to="#alerts", reminder=None)
OWNERS = Route(name="owners", sink=Sink.SLACK_OWNERS, to="#alerts", reminder=None)
POLICY = a_policy()
KEY = old(expires_at=None)


def a_scan(
    at: datetime, told: datetime | None, mode: Mode = Mode.ENFORCE, bounds: Bounds = WIDE
) -> ScanResult:
    """Return a scan at that moment; the previous one was a day earlier, the first long ago."""
    store = Remembered()
    result: ScanResult | None = None
    for moment in (NOW - timedelta(days=100), at - timedelta(days=1), at):
        done = scan(lambda: seen(KEY), [POLICY], moment, lambda: NOW)
        result = compared(done, store, "Acme")
        assert result.history
        store.remember(result.history)
    assert result
    heard = told and max(told, at - timedelta(days=1))
    bounds = replace(bounds, mode=mode)
    announced = {
        f.fingerprint: promised(f, [POLICY], bounds, told, heard)
        for f in result.findings
        if told and heard
    }
    scene = Scene(
        result=result,
        inventory=seen(KEY),
        policies=[POLICY],
        bounds=bounds,
        known=Known(announced=announced),
    )
    plan = make_plan_of_revocation(scene)
    return replace(result, revocation=Revocation(mode=mode, plan=plan))


def told_on(result: ScanResult, *routes: Route, waiting: tuple[str, ...] = ()) -> list[Any]:
    known = {route.name for route in routes}
    made = drafts(result, routes, known, waiting)
    return [(d.target, i.topic, i.revocation) for d in made for i in d.announcement.items]


def test_notices_go_out_at_the_start_three_days_and_one_day_before(prose: Prose) -> None:
    """The grace period is fourteen days; a scan every day."""
    told = []
    for day in range(15):
        at = NOW + timedelta(days=day)
        for _, topic, words in told_on(a_scan(at, NOW if day else None), CHANNEL):
            told.append((day, topic, words))
    expires, due = NOW + timedelta(days=21), NOW + timedelta(days=14)
    assert [(day, topic) for day, topic, _ in told] == [(n, Topic.DUE) for n in (0, 11, 13)]
    start, early, late = (words for *_, words in told)
    assert early == late
    prose(f"{start}\n{late}", expires=f"{expires:%Y-%m-%d}", due=f"{due:%Y-%m-%d}")


def test_a_notice_that_waits_for_delivery_is_not_made_again() -> None:
    made = a_scan(NOW, None)
    (finding,) = made.findings
    assert told_on(made, CHANNEL, waiting=(finding.fingerprint,)) == []


def test_in_mode_plan_a_notice_announces_a_possible_revocation(prose: Prose) -> None:
    ((target, topic, words),) = told_on(a_scan(NOW, None, Mode.PLAN), CHANNEL)
    assert (target, topic) == ("", Topic.DUE)
    prose(words)
    assert told_on(a_scan(NOW, None, Mode.OFF), CHANNEL) == []
    assert prospects(replace(a_scan(NOW, None), revocation=None), ()) == {}


def test_owners_are_notified_of_their_own_keys() -> None:
    ((owner, topic, words),) = told_on(a_scan(NOW, None), OWNERS)
    assert (owner, topic) == ("ada@example.com", Topic.DUE)
    assert [words] == [text for *_, text in told_on(a_scan(NOW, None), CHANNEL)]


def test_each_scan_notifies_channels_of_an_exceeded_limit(prose: Prose) -> None:
    bounds = replace(WIDE, max_keys=0)
    made = a_scan(NOW + timedelta(days=20), NOW, bounds=bounds)
    (draft,) = drafts(made, [CHANNEL, OWNERS], {"channel", "owners"})
    assert draft.route == "channel"
    (notice,) = draft.announcement.notices
    prose(notice)


INTENT = an_intent(at=NOW, rule="old", fingerprint="f1")


@pytest.mark.parametrize("result", [Result.DONE, Result.REFUSED, None])
def test_owners_are_notified_of_done_actions_and_channels_of_all(
    result: Result | None, prose: Prose
) -> None:
    until = NOW + timedelta(days=7)
    outcome = result and Outcome(receipt="r1", at=NOW, result=result, note="No.", expires_at=until)
    scanned = a_scan(NOW, NOW)
    assert scanned.revocation
    revocation = replace(scanned.revocation, acts=(Act(INTENT, outcome or None),))
    scanned = replace(scanned, revocation=revocation)
    made = {d.route: d for d in drafts_of_acts(scanned, {"r1"}, [CHANNEL, OWNERS], 2)}
    channel = made["channel"].announcement
    is_done = result is Result.DONE
    assert (len(channel.items), len(channel.notices)) == ((1, 0) if is_done else (0, 1))
    assert channel.entry == 2
    prose("\n".join((*(item.resolution for item in channel.items), *channel.notices)))
    assert [made[name].target for name in made if name == "owners"] == (
        ["ada@example.com"] if is_done else []
    )
    assert drafts_of_acts(scanned, set(), [CHANNEL, OWNERS], 2) == ()
    elsewhere = replace(CHANNEL, projects=("shop",))
    assert all(not d.announcement.items for d in drafts_of_acts(scanned, {"r1"}, [elsewhere], 2))
