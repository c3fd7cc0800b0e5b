"""Values for tests: whole and unremarkable, but for what a test changes."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scanner.collection import Collection
from scanner.inventory import (
    Coverage,
    CoverageState,
    Inventory,
    Key,
    KeyKind,
    Owner,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
    ServiceAccount,
    Unknown,
    User,
)
from scanner.judge import judge
from scanner.lifecycle import Case, History, Night, PolicySource
from scanner.plan import make_plan
from scanner.policy.subject import Subject, subjects
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import compared, scan

EVERYTHING = make_plan(everything=True)
A_SOURCE = PolicySource(
    name="baseline", digest="0" * 64, version="0.1.0", place="baseline", shown="baseline.yaml"
)
NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


def an_owner(**changes: Any) -> Owner:
    owner = Owner(
        kind=OwnerKind.USER,
        id="user-1",
        name="Ada Ito",
        email="ada@example.com",
        role="member",
    )
    return replace(owner, **changes)


def a_key(**changes: Any) -> Key:
    key = Key(
        id="key_1",
        kind=KeyKind.PROJECT,
        name="a key",
        redacted_value="sk-proj-abcd...wxyz",
        created_at=ago(days=10),
        last_used_at=ago(days=1),
        expires_at=NOW + timedelta(days=20),
        owner=an_owner(),
        project_id="proj_1",
        project_access=ProjectAccess.ACTIVE,
    )
    return replace(key, **changes)


def an_admin_key(**changes: Any) -> Key:
    key = a_key(
        id="key_admin",
        kind=KeyKind.ADMIN,
        redacted_value="sk-admin-abcd...wxyz",
        owner=an_owner(email=None, role="owner"),
        project_id=None,
        project_access=None,
    )
    return replace(key, **changes)


def a_project(**changes: Any) -> Project:
    project = Project(
        id="proj_1", name="search", state=ProjectState.ACTIVE, created_at=ago(days=2000)
    )
    return replace(project, **changes)


def a_user(**changes: Any) -> User:
    user = User(id="user-1", name="Ada Ito", email="ada@example.com", role="reader", enabled=True)
    return replace(user, **changes)


def an_account(**changes: Any) -> ServiceAccount:
    account = ServiceAccount(id="svc_1", project_id="proj_1")
    return replace(account, **changes)


def a_listing(collection: Collection, **changes: Any) -> Coverage:
    listing = Coverage(
        collection=collection,
        project_id=None,
        endpoint=f"GET /organization/{collection.value}",
        pages=1,
        items=1,
        state=CoverageState.COMPLETE,
    )
    return replace(listing, **changes)


def a_gap(collection: Collection, **changes: Any) -> Coverage:
    gap = a_listing(
        collection,
        state=CoverageState.UNAVAILABLE,
        pages=0,
        items=0,
        reason=f"GET /organization/{collection.value} was answered 403: Missing scopes",
        request_id="req_1",
    )
    return replace(gap, **changes)


def full_coverage(*project_ids: str) -> tuple[Coverage, ...]:
    """Return the account of a walk through these projects that saw everything."""
    of_organization = (Collection.PROJECTS, Collection.USERS, Collection.ADMIN_KEYS)
    of_project = (Collection.PROJECT_KEYS, Collection.SERVICE_ACCOUNTS)
    return (
        *(a_listing(collection) for collection in of_organization),
        *(a_listing(c, project_id=project_id) for c in of_project for project_id in project_ids),
    )


def an_inventory(**changes: Any) -> Inventory:
    """One project, one user, one key, all in order and all seen."""
    inventory = Inventory(
        organization="Acme",
        projects=(a_project(),),
        keys=(a_key(),),
        users=(a_user(),),
        service_accounts=(),
        coverage=full_coverage("proj_1"),
    )
    return replace(inventory, **changes)


def a_result(inventory: Inventory | None = None) -> ScanResult:
    """The baseline's judgement of an inventory, with a fixed id and fixed times."""
    inventory = inventory or a_mixed_inventory()
    judgement = judge(inventory, load_policies(["baseline"]), NOW)
    return ScanResult(
        id="20260701T030000Z-0a1b2c3d",
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=2),
        organization=inventory.organization,
        policies=("baseline",),
        rules=judgement.rules,
        projects=len(inventory.projects),
        keys=len(inventory.keys),
        findings=judgement.findings,
        coverage=inventory.coverage,
        exceptions=judgement.exceptions,
        sources=(A_SOURCE,),
    )


def a_remembered_result() -> ScanResult:
    """The mixed inventory after a night with other keys: something of every kind has changed."""
    policies = load_policies(["baseline"])
    keys = (
        a_key(id="key_left", created_at=ago(days=200)),
        a_key(id="key_old", created_at=ago(days=412)),
        a_key(id="key_gone", name="<i>gone", created_at=ago(days=200)),
        a_key(id="key_unseen", project_id="proj_2", created_at=ago(days=200), expires_at=None),
    )
    projects = (a_project(), a_project(id="proj_2", name="old"))
    coverage = full_coverage("proj_1", "proj_2")
    first = an_inventory(keys=keys, projects=projects, coverage=coverage)
    store = Remembered()

    def night(inventory: Inventory, moment: datetime) -> ScanResult:
        scanned = scan(lambda: inventory, policies, moment, lambda: moment)
        result = compared(scanned, store, "Acme")
        assert result.history
        store.remember(result.history)
        return result

    night(first, ago(days=2))
    night(first, ago(days=1))
    return night(a_mixed_inventory(), NOW)


class Remembered:
    """A store without a database: what it was told, as long as it lives."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._nights: list[Night] = []

    def cases(self, _organization: str, _fingerprints: Iterable[str]) -> tuple[Case, ...]:
        return tuple(self._cases.values())

    def closed(self, _organization: str, since: datetime, limit: int) -> tuple[Case, ...]:
        cases = self._cases.values()
        return tuple(c for c in cases if c.resolved_at and c.resolved_at >= since)[:limit]

    def nights(
        self, _organization: str, limit: int, *, before: datetime | None = None
    ) -> tuple[Night, ...]:
        nights = [night for night in self._nights if before is None or night.started_at < before]
        return tuple(nights[-limit:])

    def remember(self, history: History) -> None:
        self._nights.append(history.nights[-1])
        for standing in history.standings:
            self._cases[standing.case.fingerprint] = standing.case


def a_mixed_inventory() -> Inventory:
    """Violations of several severities, hostile names, an admin key, unknowns and a gap."""
    bot = an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", name="bot", email=None)
    inactive = ProjectAccess.INACTIVE
    gone = an_owner(id="user-9", name="</script><b>Eve", email="eve@example.com")
    keys = (
        a_key(id="key_old", name="\x1b[31mred\u202e\x7f", created_at=ago(days=412, hours=5)),
        a_key(
            id="key_left",
            name='<img src=x onerror="alert(1)">',
            owner=gone,
            project_access=inactive,
        ),
        a_key(
            id="key_bot",
            name=None,
            owner=bot,
            project_id="proj_2",
            expires_at=None,
            project_access=Unknown(reason="the API did not say whether the owner can reach it"),
        ),
        a_key(id="key_untold", expires_at=Unknown(reason="the API did not give expires_at")),
        an_admin_key(created_at=ago(days=91), last_used_at=None),
        a_key(id="key_fine"),
    )
    projects = (a_project(), a_project(id="proj_2", name="old", state=ProjectState.ARCHIVED))
    gap = a_gap(Collection.PROJECT_KEYS, project_id="proj_2")
    return an_inventory(keys=keys, projects=projects, coverage=(*full_coverage("proj_1"), gap))


def a_subject(**changes: Any) -> Subject:
    """The first key of an inventory with these changes."""
    return next(subjects(an_inventory(**changes), NOW))
