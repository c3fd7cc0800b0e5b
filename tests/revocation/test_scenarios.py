"""Each guard alone stops a revocation; without them exactly the planned keys are revoked."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.receipt import Act, Result, Spared
from scanner.revocation import Mode
from scanner.sandbox.organization import Account
from scanner.sandbox.quirk import Quirk
from tests.revocation.staging import WIDE, Cast, Stage, a_cast, a_policy, staged
from tests.store.making import a_store
from tests.support.prose import Prose

pytestmark = pytest.mark.slow

WEEK = 7 * 86_400


@pytest.fixture
def cast() -> Cast:
    return a_cast()


@pytest.fixture
def stage(cast: Cast, tmp_path: Path) -> Iterator[Stage]:
    with staged(cast.organization, a_store(str(tmp_path / "history.db"))) as made:
        yield made


def done(came: list[Act | Spared]) -> list[tuple[str, Result | None]]:
    acts = (one for one in came if isinstance(one, Act))
    return [(act.intent.key_id, act.outcome.result if act.outcome else None) for act in acts]


def test_only_the_due_key_is_revoked_and_its_sibling_is_not(stage: Stage, cast: Cast) -> None:
    assert stage.night() == []
    for _ in range(6):
        assert stage.night() == []
    assert stage.written() == []
    assert done(stage.night()) == [(cast.old.id, Result.DONE)]
    assert stage.written() == [("POST", cast.old.id)]
    assert cast.old.expires_at == int(stage.moment.timestamp()) + WEEK
    assert cast.sibling.expires_at is None
    for _ in range(10):
        assert stage.night() == []
    assert stage.written() == [("POST", cast.old.id)]


def protect(what: str, value: str) -> Callable[[Stage, Cast], None]:
    def guard(stage: Stage, cast: Cast) -> None:
        named = value.format(key=cast.old.id, project=cast.project.id, owner=cast.ada.email)
        change: dict[str, Any] = {f"protected_{what}": (named,)}
        stage.bounds = replace(stage.bounds, **change)

    return guard


def bounds(**changes: Any) -> Callable[[Stage, Cast], None]:
    def guard(stage: Stage, _cast: Cast) -> None:
        stage.bounds = replace(stage.bounds, **changes)

    return guard


def used_just_now(stage: Stage, cast: Cast) -> None:
    cast.old.last_used_at = int((stage.moment + timedelta(hours=20)).timestamp())


def nobody_is_told(stage: Stage, _cast: Cast) -> None:
    stage.told = False


def stop(stage: Stage, _cast: Cast) -> None:
    stage.stopped = "Stop file exists"


def excepted(stage: Stage, cast: Cast) -> None:
    stage.policies = (
        a_policy(
            more=f"exceptions:\n  - rule: old\n    when: {{ key.id: {cast.old.id} }}\n"
            "    reason: R\n    owner: o@example.com\n    expires: 2027-01-01\n"
        ),
    )


def expires_soon(stage: Stage, cast: Cast) -> None:
    cast.old.expires_at = int((stage.moment + timedelta(days=2)).timestamp())


def tells_no_expiry(_stage: Stage, cast: Cast) -> None:
    cast.organization.quirks = frozenset({Quirk.SPARSE})


@pytest.mark.parametrize(
    "guard",
    [
        bounds(mode=Mode.OFF),
        bounds(mode=Mode.PLAN),
        bounds(max_keys=0),
        bounds(max_percent=0),
        bounds(max_percent=49),
        bounds(min_age=timedelta(days=300)),
        bounds(recent_use=timedelta(days=60)),
        protect("keys", "{key}"),
        protect("keys", "back*"),
        protect("projects", "{project}"),
        protect("projects", "ch?t"),
        protect("owners", "{owner}"),
        protect("owners", "Ada *"),
        used_just_now,
        nobody_is_told,
        stop,
        excepted,
        expires_soon,
        tells_no_expiry,
    ],
)
def test_each_guard_alone_stops_a_revocation(
    stage: Stage, cast: Cast, guard: Callable[[Stage, Cast], None]
) -> None:
    for _ in range(9):
        guard(stage, cast)
        assert done(stage.night()) == []
    assert stage.written() == []
    assert all(line.startswith("GET ") for line in stage.api.asked)


@pytest.mark.parametrize("how", ["used", "gone", "expires"])
def test_a_key_that_changes_between_scan_and_revocation_is_skipped(
    stage: Stage, cast: Cast, how: str, prose: Prose
) -> None:
    """The key violated its rule in the scan, but not when it is read again."""
    for _ in range(7):
        stage.night()
    stage.moment += timedelta(days=1)
    with stage.store.hold("Acme") as lease:
        scene = stage.scene()
        assert scene.result.revocation
        assert [action.key_id for action in scene.result.revocation.plan.due] == [cast.old.id]
        match how:
            case "used":
                cast.old.last_used_at = int(stage.moment.timestamp()) - 60
            case "gone":
                del cast.project.keys[cast.old.id]
            case "expires":
                cast.old.expires_at = int(stage.moment.timestamp()) + 86_400
        (came,) = stage.revoke(scene, lease)
    assert isinstance(came, Spared)
    prose(came.reason)
    assert stage.written() == []


def test_the_keys_of_an_owner_who_returns_before_the_revocation_are_skipped(
    stage: Stage, cast: Cast
) -> None:
    stage.policies = (a_policy("{ owner.state: left_org }", method="delete", after="1d"),)
    role = cast.project.roles.pop(cast.ada.id)
    member = cast.organization.members.pop(cast.ada.id)
    stage.night()
    stage.moment += timedelta(days=1)
    with stage.store.hold("Acme") as lease:
        scene = stage.scene()
        assert scene.result.revocation
        assert len(scene.result.revocation.plan.due) == 2
        cast.organization.members[member.id] = member
        cast.project.roles[member.id] = role
        came = stage.revoke(scene, lease)
    assert [type(one) for one in came] == [Spared] * 2
    assert stage.written() == []


def test_of_a_departed_owner_both_keys_are_deleted_and_no_other(stage: Stage, cast: Cast) -> None:
    stage.policies = (a_policy("{ owner.state: left_org }", method="delete", after="1d"),)
    del cast.project.roles[cast.ada.id], cast.organization.members[cast.ada.id]
    stage.night()
    assert sorted(done(stage.night())) == sorted(
        [(cast.old.id, Result.DONE), (cast.sibling.id, Result.DONE)]
    )
    assert cast.project.keys == {}
    assert stage.night() == []


def test_a_service_accounts_key_that_may_not_be_deleted_stays_with_its_account(
    stage: Stage, cast: Cast
) -> None:
    """The API refuses; no other method is tried, and the next scan does not request it again."""
    cast.organization.quirks = frozenset({Quirk.OLD_DELETE})
    robot = Account(id="svc_acct_1", name="robot", role="member", created_at=cast.old.created_at)
    cast.project.accounts[robot.id] = robot
    cast.old.owner = robot
    stage.policies = (a_policy(method="delete", after="1d"),)
    stage.night()
    assert done(stage.night()) == [(cast.old.id, Result.REFUSED)]
    assert stage.night() == []
    assert [write.method for write in cast.organization.writes] == ["DELETE"]
    assert cast.old.id in cast.project.keys
    assert robot.id in cast.project.accounts
    (held,) = stage.plan().held
    (act,) = stage.acts()
    assert act.intent.receipt in held.reasons[0]


def test_restricting_leaves_reading_and_never_an_empty_list(stage: Stage, cast: Cast) -> None:
    stage.policies = (a_policy(method="restrict", after="1d"),)
    stage.night()
    assert done(stage.night()) == [(cast.old.id, Result.DONE)]
    (write,) = cast.organization.writes
    assert write.body == {"scopes": ["api.all.read"]}
    assert cast.old.scopes == ("api.all.read",)
    (act,) = stage.acts()
    assert act.intent.scopes_before == ()


def test_if_more_keys_are_due_than_allowed_none_is_revoked(stage: Stage, cast: Cast) -> None:
    """Two keys are due and the limit is one."""
    cast.sibling.created_at = cast.old.created_at
    stage.bounds = replace(WIDE, max_keys=1)
    for _ in range(9):
        assert done(stage.night()) == []
    assert re.findall(r"\d+", stage.plan().refusal) == ["2", "1"]
    assert stage.written() == []


def test_revocations_of_the_last_24_hours_count(stage: Stage, cast: Cast) -> None:
    stage.bounds = replace(WIDE, max_keys=1)
    for _ in range(7):
        stage.night()
    assert len(done(stage.night())) == 1
    cast.sibling.created_at = cast.old.created_at
    stage.night(days=0.1)
    for _ in range(6):
        stage.night()
    assert len(done(stage.night())) == 1
    assert stage.plan().refusal == ""
    assert len(stage.written()) == 2


def test_a_revocation_without_permission_fails_and_is_retried(stage: Stage, cast: Cast) -> None:
    for _ in range(7):
        stage.night()
    stage.api.faults = [403]
    assert done(stage.night()) == [(cast.old.id, Result.FAILED)]
    assert done(stage.night()) == [(cast.old.id, Result.DONE)]
    assert stage.written() == [("POST", cast.old.id)]
