"""A key is evaluated again with its current data, its current owner and the current time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scanner.inventory import OwnerKind, ProjectAccess, ServiceAccount, Unknown
from scanner.ports import Look
from scanner.recheck import judged_again
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.revocation import Action, Method
from tests.factories import NOW, a_project, a_user, ago, an_owner
from tests.planning import WIDE, a_policy, a_scene, old
from tests.support.prose import Prose


def due(scene: Scene) -> Action:
    (action,) = make_plan_of_revocation(scene).due
    return action


def test_an_unchanged_key_is_due() -> None:
    scene = a_scene(old(), policy=a_policy())
    again = judged_again(scene, due(scene), Look(key=old()), NOW + timedelta(hours=1))
    assert isinstance(again, Action)
    assert (again.key_id, again.method) == ("key_1", Method.EXPIRE)


@pytest.mark.parametrize(
    "look",
    [
        Look(key=None),
        Look(key=old(last_used_at=NOW)),
        Look(key=old(last_used_at=Unknown(reason="no"))),
        Look(key=old(created_at=ago(days=80))),
    ],
    ids=["gone", "used", "use unknown", "younger"],
)
def test_a_key_that_changed_is_skipped(look: Look, prose: Prose) -> None:
    scene = a_scene(old(), policy=a_policy())
    again = judged_again(scene, due(scene), look, NOW + timedelta(minutes=1))
    assert isinstance(again, str)
    prose(again)


def test_the_time_is_the_current_one() -> None:
    """During the scan the key had an hour longer to live than a new expiry would allow."""
    key = old(expires_at=NOW + WIDE.expire_in + timedelta(hours=1))
    scene = a_scene(key, policy=a_policy())
    action = due(scene)
    assert isinstance(judged_again(scene, action, Look(key=key), NOW), Action)
    late = judged_again(scene, action, Look(key=key), NOW + timedelta(hours=2))
    assert isinstance(late, str)
    assert "2026-07-08" in late


def test_protection_is_by_the_projects_current_name(prose: Prose) -> None:
    scene = a_scene(old(), policy=a_policy())
    scene = replace(scene, bounds=replace(WIDE, protected_projects=("*-prod",)))
    action = due(scene)
    for name in ("chat-prod", None):
        again = judged_again(scene, action, Look(key=old(), project=a_project(name=name)), NOW)
        assert isinstance(again, str)
        prose(again)
    assert isinstance(
        judged_again(scene, action, Look(key=old(), project=a_project()), NOW), Action
    )


@pytest.mark.parametrize("changes", [{"name": "Robot"}, {"email": "robot@example.com"}])
def test_protection_is_by_the_owners_current_names(changes: dict[str, str], prose: Prose) -> None:
    scene = a_scene(old(), policy=a_policy())
    scene = replace(scene, bounds=replace(WIDE, protected_owners=("robot*",)))
    again = judged_again(scene, due(scene), Look(key=old(), owner=a_user(**changes)), NOW)
    assert isinstance(again, str)
    prose(again)


def test_protection_is_by_the_service_accounts_current_name(prose: Prose) -> None:
    key = old(owner=an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", name="ci", email=None))
    scene = a_scene(key, policy=a_policy())
    scene = replace(scene, bounds=replace(WIDE, protected_owners=("robot*",)))
    account = ServiceAccount(id="svc_1", project_id="proj_1", name="robot-7")
    again = judged_again(scene, due(scene), Look(key=key, owner=account), NOW)
    assert isinstance(again, str)
    prose(again)


def test_the_owner_is_the_current_one(prose: Prose) -> None:
    """The listing of users did not contain the owner; a request by id returns the owner."""
    key = old(project_access=ProjectAccess.INACTIVE)
    scene = a_scene(key, policy=a_policy("{ owner.state: left_org }"), users=(a_user(id="other"),))
    action = due(scene)
    assert isinstance(judged_again(scene, action, Look(key=key), NOW), Action)
    again = judged_again(scene, action, Look(key=key, owner=a_user(id="user-1")), NOW)
    assert isinstance(again, str)
    prose(again)


def test_a_service_account_that_exists_again_keeps_its_key() -> None:
    robot = an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", email=None)
    key = old(owner=robot, project_access=ProjectAccess.INACTIVE)
    scene = a_scene(key, policy=a_policy("{ owner.state: service_account_missing }"))
    action = due(scene)
    assert isinstance(judged_again(scene, action, Look(key=key), NOW), Action)
    there = Look(key=key, owner=ServiceAccount(id="svc_1", project_id="proj_1"))
    assert isinstance(judged_again(scene, action, there, NOW), str)


@pytest.mark.parametrize("changed", [{"method": Method.DELETE}, {"rule": "another"}])
def test_another_method_or_another_rule_was_not_planned(changed: dict[str, Any]) -> None:
    scene = a_scene(old(), policy=a_policy())
    action = due(scene)._replace(**changed)
    again = judged_again(scene, action, Look(key=old()), NOW)
    assert isinstance(again, str)
    assert {"expire", "old;"} <= set(again.split())
