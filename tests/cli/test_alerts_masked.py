"""Routes and owners are selected by the original addresses, before masking."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scanner.announcement import Draft, Route, Sink
from scanner.cli.memory import Memory
from scanner.cli.recording import alerts_of
from scanner.policy_files import load_policies
from scanner.scan import compared, scan
from tests.factories import NOW, a_key, a_project, a_user, ago, an_inventory, an_owner
from tests.store.making import ACME, a_store

ANN = an_owner(id="user-1", name="Ann", email="ann@example.com")
ABE = an_owner(id="user-2", name="Abe", email="abe@example.com")  # masked like ANN
OWNERS = Route(name="owners", sink=Sink.SLACK_OWNERS, to="#alerts")


def alerts(place: Path, *routes: Route, masks: bool) -> tuple[Draft, ...]:
    keys = [a_key(id=f"key_{o.id}", owner=o, created_at=ago(days=200)) for o in (ANN, ABE)]
    users = tuple(a_user(id=str(o.id), name=o.name, email=o.email) for o in (ANN, ABE))
    project = a_project(name="for ann@example.com")
    inventory = an_inventory(keys=tuple(keys), users=users, projects=(project,))
    store = a_store(str(place / "history.db"))
    done = scan(lambda: inventory, load_policies(["baseline"]), NOW, lambda: NOW)
    memory = Memory(store=store, organization=ACME, lease=None)
    memory = replace(memory, alerts=replace(memory.alerts, routes=routes))
    return alerts_of(compared(done, store, ACME), memory, masks=masks)


def decisions(made: tuple[Draft, ...]) -> list[Any]:
    """Return route, target, counts and items of each alert, without its texts."""
    return [
        (one.route, one.target, one.announcement.counts, [i[:5] for i in one.announcement.items])
        for one in made
    ]


@pytest.mark.parametrize(
    ("changes", "owners"),
    [
        ({"owners": ("ann@example.com",)}, {"Ann"}),
        ({"owners": ("ANN@*",)}, {"Ann"}),
        ({"owners": ("a???@example.com",)}, set()),  # as the masked address would match
        ({"owners": ("*@example.com",)}, {"Ann", "Abe"}),
        ({"projects": ("for ann@*",)}, {"Ann", "Abe"}),
    ],
)
def test_masking_does_not_change_what_a_route_selects(
    tmp_path: Path, changes: dict[str, Any], owners: set[str]
) -> None:
    route = replace(Route(name="some", sink=Sink.WEBHOOK, to="HOOK"), **changes)
    plain, masked = (alerts(tmp_path, route, masks=masks) for masks in (False, True))
    assert decisions(masked) == decisions(plain)
    assert {item.owner for one in masked for item in one.announcement.items} == owners
    assert "ann@" not in str([one.announcement for one in masked])


def test_owners_with_equal_masked_addresses_have_separate_alerts(tmp_path: Path) -> None:
    plain, masked = (alerts(tmp_path, OWNERS, masks=masks) for masks in (False, True))
    assert decisions(masked) == decisions(plain)
    assert [one.target for one in masked] == ["abe@example.com", "ann@example.com"]
    assert [{i.owner for i in one.announcement.items} for one in masked] == [{"Abe"}, {"Ann"}]
    assert {i.owner_email for one in masked for i in one.announcement.items} == {"a***@example.com"}
