"""Applying a plan to re-read keys, with the clocks of both sides."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import Mock

import pytest

from scanner.enforce import PATIENCE, Hands, carry_out, counting, rehearse, settle
from scanner.errors import ApiForbidden
from scanner.ports import Look
from scanner.receipt import Act, Intent, Result, Spared
from scanner.remedy import make_plan_of_revocation
from tests.factories import NOW
from tests.planning import a_policy, a_scene, an_act, an_intent, old


@dataclass
class Reader:
    """Returns the unchanged key, with a time of the API's clock."""

    at: datetime | None

    def look(self, _key_id: str, _project_id: str | None, *, whole: bool = True) -> Look:
        return Look(key=old() if whole else None, at=self.at)


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        (NOW, Intent),
        (NOW + timedelta(minutes=4), Intent),
        (NOW + timedelta(minutes=6), Spared),
        (NOW - timedelta(days=40), Spared),
        (None, Spared),
    ],
)
def test_no_key_is_revoked_unless_the_clock_is_verified(
    at: datetime | None, kind: type[Intent | Spared]
) -> None:
    scene = a_scene(old(), policy=a_policy())
    journal = Mock(**{"acts.return_value": ()})
    hands = Hands(
        revoker=Mock(look=Reader(at).look),
        journal=journal,
        clock=lambda: NOW,
        by="test",
        stopped=lambda: "",
    )
    (done,) = rehearse(scene, make_plan_of_revocation(scene), hands)
    assert type(done) is kind


def test_after_three_refusals_the_remaining_keys_are_skipped() -> None:
    """Reading is refused twice and changing once; the fourth key and the fifth are not touched."""
    keys = tuple(old(id=f"key_{number}") for number in range(1, 6))
    scene = a_scene(*keys, policy=a_policy())
    refused = ApiForbidden("refused", endpoint="GET", status=403)
    change = Mock(side_effect=refused)

    def look(key_id: str, _project_id: str | None, *, whole: bool = True) -> Look:
        if whole and key_id in {"key_1", "key_2"}:
            raise refused
        return Look(key=next(key for key in keys if key.id == key_id), at=NOW)

    returns = {"acts.return_value": (), "acts_elsewhere.return_value": (), "begin.return_value": ""}
    journal = Mock(**returns)
    hands = Hands(
        revoker=Mock(look=look, change=change),
        journal=journal,
        clock=lambda: NOW,
        by="test",
        stopped=lambda: "",
    )
    plan = make_plan_of_revocation(scene)
    done = list(carry_out(scene, plan, counting(hands)))
    assert [type(one) for one in done] == [Spared, Spared, Act, Spared, Spared]
    assert change.call_count == journal.begin.call_count == 1
    skipped = [one.reason for one in done if isinstance(one, Spared)][2:]
    assert all("403" in reason for reason in skipped)


@pytest.mark.parametrize(
    ("at", "result"),
    [
        (NOW, Result.FAILED),
        (NOW - timedelta(days=40), None),
        (None, None),
    ],
)
def test_a_change_without_a_response_failed_only_if_the_clock_shows_that_time_has_passed(
    at: datetime | None, result: Result | None
) -> None:
    """If the clock was ahead, the change could still take effect and would be requested again."""
    act = an_act(None, at=NOW - PATIENCE)
    hands = Hands(
        revoker=Mock(**{"look.return_value": Look(key=old(), at=at)}),
        journal=Mock(**{"acts.return_value": (act,)}),
        clock=lambda: NOW,
        by="test",
        stopped=lambda: "",
    )
    results = [settled.outcome and settled.outcome.result for settled in settle(hands)]
    assert results == ([result] if result else [])


def test_refusals_while_unfinished_actions_are_read_count_as_well() -> None:
    """Three keys of earlier runs cannot be read; the due key is not requested."""
    scene = a_scene(old(), policy=a_policy())
    look = Mock(side_effect=ApiForbidden("refused", endpoint="GET", status=403))
    unfinished = tuple(Act(an_intent(receipt=f"{number}"), None) for number in range(3))
    hands = counting(
        Hands(
            revoker=Mock(look=look),
            journal=Mock(**{"acts.return_value": unfinished}),
            clock=lambda: NOW,
            by="test",
            stopped=lambda: "",
        )
    )
    assert list(settle(hands)) == []
    (done,) = carry_out(scene, make_plan_of_revocation(scene), hands)
    assert isinstance(done, Spared)
    assert "403" in done.reason
    assert look.call_count == 3
