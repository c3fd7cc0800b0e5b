"""What people are told before and after a key is revoked."""

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

CHANNEL = Route(name="channel", sink=Sink.SLACK, to="#alerts", reminder=None)
OWNERS = Route(name="owners", sink=Sink.SLACK_OWNERS, to="#alerts", reminder=None)
POLICY = a_policy()
KEY = old(expires_at=None)


START = "will stop working 21 days after this message unless it is mended within 14 days"


def a_night(
    at: datetime, told: datetime | None, mode: Mode = Mode.ENFORCE, bounds: Bounds = WIDE
) -> ScanResult:
    """Return the night at that moment; the one before was a day earlier, the first long ago."""
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


def test_the_start_three_days_before_and_a_day_before_are_told_and_nothing_between() -> None:
    """Fourteen days after people were told; a scan every night."""
    told = []
    for day in range(15):
        at = NOW + timedelta(days=day)
        for _, topic, words in told_on(a_night(at, NOW if day else None), CHANNEL):
            told.append((day, topic, words))
    dies, due = NOW + timedelta(days=21), NOW + timedelta(days=14)
    words = f"will stop working on {dies:%Y-%m-%d} unless it is mended by {due:%Y-%m-%d}"
    assert told == [
        (0, Topic.DUE, START),
        (11, Topic.DUE, words),
        (13, Topic.DUE, words),
    ]


def test_what_waits_to_be_told_is_not_told_twice() -> None:
    night = a_night(NOW, None)
    (finding,) = night.findings
    assert told_on(night, CHANNEL, waiting=(finding.fingerprint,)) == []


def test_where_only_plans_are_made_nothing_is_promised() -> None:
    assert told_on(a_night(NOW, None, Mode.PLAN), CHANNEL) == [
        ("", Topic.DUE, START.replace("will", "may"))
    ]
    assert told_on(a_night(NOW, None, Mode.OFF), CHANNEL) == []
    assert prospects(replace(a_night(NOW, None), revocation=None), ()) == {}


def test_owners_are_told_of_their_own() -> None:
    ((owner, topic, words),) = told_on(a_night(NOW, None), OWNERS)
    assert (owner, topic) == ("ada@example.com", Topic.DUE)
    assert words == START


def test_too_many_are_told_every_night_to_channels() -> None:
    bounds = replace(WIDE, max_keys=0)
    night = a_night(NOW + timedelta(days=20), NOW, bounds=bounds)
    (draft,) = drafts(night, [CHANNEL, OWNERS], {"channel", "owners"})
    assert draft.route == "channel"
    assert draft.announcement.notices == ("1 key is due, and max_keys is 0: none is revoked.",)


INTENT = an_intent(at=NOW, rule="old", fingerprint="f1")


@pytest.mark.parametrize(
    ("result", "items", "notices"),
    [
        (Result.DONE, ["stops working on 2026-07-08 (receipt r1)"], ()),
        (Result.REFUSED, [], ("a key in chat: refused: No. (receipt r1)",)),
        (
            None,
            [],
            ("a key in chat: asked for, and no answer yet shows whether it was done (receipt r1)",),
        ),
    ],
)
def test_what_was_done_is_told_to_owners_and_what_was_not_to_channels(
    result: Result | None, items: list[str], notices: tuple[str, ...]
) -> None:
    until = NOW + timedelta(days=7)
    outcome = result and Outcome(receipt="r1", at=NOW, result=result, note="No.", expires_at=until)
    night = a_night(NOW, NOW)
    assert night.revocation
    night = replace(
        night, revocation=replace(night.revocation, acts=(Act(INTENT, outcome or None),))
    )
    made = {d.route: d for d in drafts_of_acts(night, {"r1"}, [CHANNEL, OWNERS], 2)}
    channel = made["channel"].announcement
    assert [item.resolution for item in channel.items] == items
    assert (channel.notices, channel.entry) == (notices, 2)
    assert ("owners" in made) is bool(items)
    if items:
        assert made["owners"].target == "ada@example.com"
    assert drafts_of_acts(night, set(), [CHANNEL, OWNERS], 2) == ()
    elsewhere = replace(CHANNEL, projects=("shop",))
    assert all(not d.announcement.items for d in drafts_of_acts(night, {"r1"}, [elsewhere], 2))
