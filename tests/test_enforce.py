"""What is done with a key that was read again, by the clocks of both sides."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import Mock

import pytest

from scanner.enforce import Hands, rehearse
from scanner.ports import Look
from scanner.receipt import Intent, Spared
from scanner.remedy import make_plan_of_revocation
from tests.factories import NOW
from tests.planning import a_policy, a_scene, old


@dataclass
class Reader:
    """Reads the key as it was, at a time of the API's clock."""

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
def test_nothing_is_revoked_unless_the_clock_can_be_verified(
    at: datetime | None, kind: type[Intent | Spared]
) -> None:
    scene = a_scene(old(), a_policy())
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
