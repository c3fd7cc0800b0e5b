"""One key judged once more: as it is now, by the clock of now, and by its owner of now."""

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


def due(scene: Scene) -> Action:
    (action,) = make_plan_of_revocation(scene).due
    return action


def test_what_is_as_it_was_is_done() -> None:
    scene = a_scene(old(), policy=a_policy())
    again = judged_again(scene, due(scene), Look(key=old()), NOW + timedelta(hours=1))
    assert isinstance(again, Action)
    assert (again.key_id, again.method) == ("key_1", Method.EXPIRE)


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (Look(key=None), "it no longer exists"),
        (Look(key=old(last_used_at=NOW)), "ago, within 1d"),
        (Look(key=old(last_used_at=Unknown(reason="no"))), "its last use is unknown: no"),
        (Look(key=old(created_at=ago(days=80))), "violates no rule any more"),
    ],
)
def test_what_is_otherwise_now_is_let_be(look: Look, says: str) -> None:
    scene = a_scene(old(), policy=a_policy())
    again = judged_again(scene, due(scene), look, NOW + timedelta(minutes=1))
    assert isinstance(again, str)
    assert says in again


def test_the_clock_is_that_of_now() -> None:
    """When it was scanned it had an hour more to live than an expiry would give it."""
    key = old(expires_at=NOW + WIDE.expire_in + timedelta(hours=1))
    scene = a_scene(key, policy=a_policy())
    action = due(scene)
    assert isinstance(judged_again(scene, action, Look(key=key), NOW), Action)
    late = judged_again(scene, action, Look(key=key), NOW + timedelta(hours=2))
    assert late == "it expires by itself on 2026-07-08"


def test_protection_is_by_the_projects_current_name() -> None:
    scene = a_scene(old(), policy=a_policy())
    scene = replace(scene, bounds=replace(WIDE, protected_projects=("*-prod",)))
    action = due(scene)
    for name, reason in (
        ("chat-prod", "its project is protected"),
        (None, "its project may be protected: its name is unknown"),
    ):
        look = Look(key=old(), project=a_project(name=name))
        assert judged_again(scene, action, look, NOW) == reason
    assert isinstance(
        judged_again(scene, action, Look(key=old(), project=a_project()), NOW), Action
    )


@pytest.mark.parametrize("changes", [{"name": "Robot"}, {"email": "robot@example.com"}])
def test_protection_is_by_the_owners_current_names(changes: dict[str, str]) -> None:
    scene = a_scene(old(), policy=a_policy())
    scene = replace(scene, bounds=replace(WIDE, protected_owners=("robot*",)))
    look = Look(key=old(), owner=a_user(**changes))
    assert judged_again(scene, due(scene), look, NOW) == "its owner is protected"


def test_protection_is_by_the_service_accounts_current_name() -> None:
    key = old(owner=an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", name="ci", email=None))
    scene = a_scene(key, policy=a_policy())
    scene = replace(scene, bounds=replace(WIDE, protected_owners=("robot*",)))
    account = ServiceAccount(id="svc_1", project_id="proj_1", name="robot-7")
    look = Look(key=key, owner=account)
    assert judged_again(scene, due(scene), look, NOW) == "its owner is protected"


def test_the_owner_is_that_of_now() -> None:
    """The listing of users had lost them; asked for by id, they are there."""
    key = old(project_access=ProjectAccess.INACTIVE)
    scene = a_scene(key, policy=a_policy("{ owner.state: left_org }"), users=(a_user(id="other"),))
    action = due(scene)
    assert isinstance(judged_again(scene, action, Look(key=key), NOW), Action)
    there = Look(key=key, owner=a_user(id="user-1"))
    assert judged_again(scene, action, there, NOW) == (
        "it violates no rule any more that asks for a revocation"
    )


def test_a_service_account_that_is_there_again_keeps_its_key() -> None:
    robot = an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", email=None)
    key = old(owner=robot, project_access=ProjectAccess.INACTIVE)
    scene = a_scene(key, policy=a_policy("{ owner.state: service_account_missing }"))
    action = due(scene)
    assert isinstance(judged_again(scene, action, Look(key=key), NOW), Action)
    there = Look(key=key, owner=ServiceAccount(id="svc_1", project_id="proj_1"))
    assert isinstance(judged_again(scene, action, there, NOW), str)


@pytest.mark.parametrize("changed", [{"method": Method.DELETE}, {"rule": "another"}])
def test_another_way_or_another_rule_was_not_planned(changed: dict[str, Any]) -> None:
    scene = a_scene(old(), policy=a_policy())
    action = due(scene)._replace(**changed)
    again = judged_again(scene, action, Look(key=old()), NOW)
    assert again == "what is due now is to expire it, for old: plan anew"
