"""Collecting the sandbox over real HTTP: the inventory equals the organization."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from scanner.collection import OPTIONAL, Collection
from scanner.errors import ApiForbidden, ApiRejected
from scanner.inventory import CoverageState, Inventory, KeyKind, Unknown, is_complete
from scanner.judge import judge
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.pace import Pace
from scanner.plan import Plan, make_plan
from scanner.policy_files import load_policies
from scanner.ports import Clock
from scanner.sandbox.app import SANDBOX_KEY, AsgiApp, Receive, SandboxApp, Scope, Send
from scanner.sandbox.organization import DAY, Account, SandboxOrganization
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.factories import EVERYTHING, NOW
from tests.openai_api.scripted import Asked, Reply, scripted


def walk(
    url: str, key: str = SANDBOX_KEY, plan: Plan = EVERYTHING, clock: Clock = lambda: NOW
) -> Inventory:
    async def go() -> Inventory:
        async with AdminClient(Secret(key), base_url=url, pace=Pace(8)) as client:
            return await ApiCollector(client, plan, clock=clock).collect()

    return asyncio.run(go())


def test_every_key_is_found_once_in_its_project_hidden_ones_included(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    inventory = walk(sandbox_url)
    truth: set[tuple[str | None, str]] = {(None, key_id) for key_id in organization.admin_keys}
    truth |= {(project.id, key.id) for project, key in organization.project_keys()}
    assert {(key.project_id, key.id) for key in inventory.keys} == truth
    assert len(inventory.keys) == organization.key_count()
    assert organization.hidden_key_count() > 0
    assert is_complete(inventory.coverage)


def test_every_project_user_and_living_service_account_is_found(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    inventory = walk(sandbox_url)
    assert [project.id for project in inventory.projects] == list(organization.projects)
    assert {user.id for user in inventory.users} == set(organization.members)
    assert {(a.project_id, a.id) for a in inventory.service_accounts} == {
        (project.id, account_id)
        for project in organization.projects.values()
        if project.archived_at is None
        for account_id in project.accounts
    }
    assert inventory.organization == organization.name


def test_dates_and_names_arrive_as_they_are(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    found = {key.id: key for key in walk(sandbox_url).keys}
    for _, key in organization.project_keys():
        assert found[key.id].name == key.name
        assert found[key.id].created_at == datetime.fromtimestamp(key.created_at, tz=UTC)


def test_two_scans_return_equal_inventories(sandbox_url: str) -> None:
    assert walk(sandbox_url) == walk(sandbox_url)


def test_the_baselines_plan_finds_as_many_findings_as_a_plan_of_all_listings(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    """A project's service accounts are listed only if one of its keys needs them."""
    baseline = load_policies(["baseline"])

    def decided(inventory: Inventory) -> list[tuple[str, str, str]]:
        findings = judge(inventory, baseline, NOW).findings
        return [(found.rule.id, found.key.id, found.outcome.value) for found in findings]

    needed, everything = walk(sandbox_url, plan=make_plan(baseline)), walk(sandbox_url)
    assert decided(needed) == decided(everything)
    listed = {
        row.project_id for row in needed.coverage if row.collection is Collection.SERVICE_ACCOUNTS
    }
    assert listed == {
        project.id
        for project, key in organization.project_keys()
        if isinstance(key.owner, Account)
        and key.owner.id not in project.accounts
        and project.archived_at is None
    }
    assert 0 < len(listed) < len(organization.projects)


def test_without_a_rule_about_owners_no_owners_are_listed(sandbox_url: str) -> None:
    inventory = walk(sandbox_url, plan=make_plan())
    assert {row.collection for row in inventory.coverage} == {
        Collection.PROJECTS,
        Collection.PROJECT_KEYS,
        Collection.ADMIN_KEYS,
    }
    assert (inventory.users, inventory.service_accounts) == ((), ())


def test_usage_costs_and_the_audit_log_are_those_of_the_organization(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    inventory = walk(sandbox_url)
    month = int(NOW.timestamp()) // DAY * DAY - 30 * DAY
    rows = [row for day, rows in organization.days.items() if day >= month for row in rows]
    assert {use.key_id for use in inventory.uses} == {row.key_id for row in rows}
    requests = [use.requests for use in inventory.uses if isinstance(use.requests, int)]
    costs = [cost.usd for cost in inventory.costs if isinstance(cost.usd, Decimal)]
    assert sum(requests) == sum(row.requests for row in rows)
    assert sum(costs) == sum(Decimal(str(row.usd)) for row in rows)
    assert len(inventory.events) == len(organization.audit_log)
    assert {event.subject_id for event in inventory.events} >= {
        key.id for _, key in organization.project_keys()
    }


def test_a_scan_sends_no_write_requests(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    walk(sandbox_url)
    assert organization.writes == []


def test_a_wrong_key_is_an_error_and_not_an_empty_inventory(sandbox_url: str) -> None:
    with pytest.raises(ApiRejected, match="Incorrect API key provided"):
        walk(sandbox_url, "sk-admin-of-another-organization")


PROJECT = {"id": "proj_1", "created_at": 1, "status": "active"}
ARCHIVED = {"id": "proj_2", "created_at": 1, "status": "archived"}
OWNER = {"type": "user", "user": {"id": "user-1"}}
KEY = {"id": "key_1", "name": "k", "redacted_value": "sk-...", "owner": OWNER}
KEY["owner_project_access"] = "active"
DENIED = Reply(status=403, body={"error": {"message": "Missing scopes: api.management.read"}})


def page(*items: object) -> Reply:
    return Reply(body={"data": items, "has_more": False})


def test_a_refused_listing_is_a_gap_with_its_reason_and_the_rest_goes_on() -> None:
    def reply(asked: Asked) -> Reply:
        by_name = {"projects": page(PROJECT), "api_keys": page(KEY), "users": DENIED}
        return by_name.get(_last(asked), Reply())

    with scripted(reply) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    (gap,) = [row for row in inventory.coverage if row.state is not CoverageState.COMPLETE]
    assert (gap.collection, gap.state) == (Collection.USERS, CoverageState.UNAVAILABLE)
    assert "Missing scopes" in (gap.reason or "")
    assert [key.id for key in inventory.keys] == ["key_1"]


def test_a_project_key_among_the_admin_keys_stays_a_project_key() -> None:
    def reply(asked: Asked) -> Reply:
        admin = {"id": "key_2", "redacted_value": "sk-admin...", "created_at": 1, "owner": {}}
        by_name = {
            "projects": page(PROJECT),
            "api_keys": page(KEY),
            "admin_api_keys": page({**admin, "id": "key_1"}, admin),
        }
        return by_name.get(_last(asked), Reply())

    with scripted(reply) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    assert [(key.id, key.kind) for key in inventory.keys] == [
        ("key_1", KeyKind.PROJECT),
        ("key_2", KeyKind.ADMIN),
    ]


@pytest.mark.parametrize(
    ("value", "ambiguous"), [("sk-admin...key", ("key_1",)), ("sk-proj...key", ())]
)
def test_an_id_of_a_project_key_and_an_admin_key_is_ambiguous(
    value: str, ambiguous: tuple[str, ...]
) -> None:
    """The admin listing may also contain project keys; by its value this is another key."""
    admin = {"id": "key_1", "redacted_value": value, "created_at": 1, "owner": {}}
    listings = {"projects": page(PROJECT), "api_keys": page(KEY), "admin_api_keys": page(admin)}
    with scripted(lambda asked: listings.get(_last(asked), Reply())) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    assert inventory.ambiguous == ambiguous


def test_every_owner_and_every_archived_project_is_requested() -> None:
    def reply(asked: Asked) -> Reply:
        return page(PROJECT, ARCHIVED) if asked.path.endswith("/projects") else Reply()

    with scripted(reply) as (script, client, _):
        asyncio.run(_collect(client()))
    asked = {(a.path.removeprefix("/v1/organization"), *_told(a)) for a in script.asked}
    assert asked == {
        ("/projects", "include_archived=true"),
        ("/users",),
        ("/admin_api_keys",),
        ("/projects/proj_1/api_keys", "owner_project_access=any"),
        ("/projects/proj_1/service_accounts",),
        ("/projects/proj_2/api_keys", "owner_project_access=any"),
    }


@pytest.mark.parametrize("project_id", [".", "..", "", "proj\ud83d", "p" * 1000])
def test_a_project_id_that_cannot_be_part_of_a_path_is_not_requested(project_id: str) -> None:
    hostile = page({**PROJECT, "id": project_id})
    with scripted(lambda _asked: hostile) as (script, client, _):
        inventory = asyncio.run(_collect(client()))
    assert (inventory.projects, is_complete(inventory.coverage)) == ((), False)
    assert {asked.path.rpartition("/")[2] for asked in script.asked} <= {
        "projects",
        "admin_api_keys",
        "users",
    }


@pytest.mark.parametrize("collection", [Collection.PROJECTS, Collection.USERS])
def test_an_empty_listing_of_projects_or_users_is_an_error(collection: Collection) -> None:
    listed = {"projects": page(PROJECT), "users": page({"id": "user-1"})}
    del listed[collection.value]
    with scripted(lambda asked: listed.get(_last(asked), Reply())) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    gaps = [row for row in inventory.coverage if row.state is not CoverageState.COMPLETE]
    assert [gap.collection for gap in gaps] == [collection]


def test_a_key_of_the_admin_listing_is_an_admin_key_by_its_value_alone() -> None:
    def admin(key_id: str, value: str) -> dict[str, object]:
        return {"id": key_id, "redacted_value": value, "created_at": 1, "owner": {}}

    values = [
        "sk-admin-ab...cd",
        "sk-admin...def",
        "sk-admin****wxyz",
        "sk-proj-ab...cd",
        "sk-ab...cd",
    ]
    keys = page(*(admin(value, value) for value in values))
    listed = {"projects": page(PROJECT), "api_keys": DENIED, "admin_api_keys": keys}
    with scripted(lambda asked: listed.get(_last(asked), Reply())) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    admins = [key.id for key in inventory.keys if key.kind is KeyKind.ADMIN]
    unknown = [key.id for key in inventory.keys if isinstance(key.kind, Unknown)]
    assert (admins, unknown) == (values[:3], values[3:])


def test_a_listed_project_that_answers_404_is_a_gap() -> None:
    missing = Reply(status=404, body={"error": {"message": "No such project"}})
    listed = {"projects": page(PROJECT), "users": page({"id": "user-1"})}
    listed |= {"api_keys": missing, "service_accounts": missing, "proj_1": missing}
    with scripted(lambda asked: listed.get(_last(asked), Reply())) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    states = {row.state for row in inventory.coverage if row.project_id}
    assert states == {CoverageState.UNAVAILABLE}


def test_one_failed_response_fails_only_its_listing() -> None:
    deep = Reply(status=400, body=b'{"error":' + b"[" * 100_000)
    listed = {"projects": page(PROJECT), "api_keys": page(KEY), "users": deep}
    with scripted(lambda asked: listed.get(_last(asked), Reply())) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    assert [key.id for key in inventory.keys] == ["key_1"]


def test_a_project_id_cannot_change_the_path_of_a_request() -> None:
    def reply(asked: Asked) -> Reply:
        hostile = {**ARCHIVED, "id": "../users?x=#"}
        return page(hostile) if asked.path.endswith("/projects") else Reply()

    with scripted(reply) as (script, client, _):
        asyncio.run(_collect(client()))
    assert "/v1/organization/projects/../users?x=#/api_keys" in {a.path for a in script.asked}


def test_a_failed_listing_of_projects_fails_the_scan() -> None:
    with scripted(lambda _asked: DENIED) as (_, client, _waits), pytest.raises(ApiForbidden):
        asyncio.run(_collect(client()))


def _last(asked: Asked) -> str:
    return asked.path.rpartition("/")[2]


def _told(asked: Asked) -> tuple[str, ...]:
    return tuple(f"{k}={v[0]}" for k, v in sorted(asked.query.items()) if k != "limit")


async def _collect(client: AdminClient) -> Inventory:
    async with client:
        return await ApiCollector(client, make_plan(everything=True, skip=OPTIONAL)).collect()


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_rejected_parameter_is_omitted_and_the_listing_is_partial(status: int) -> None:
    def reply(asked: Asked) -> Reply:
        if "owner_project_access" in asked.query:
            return Reply(status=status, body={"error": {"message": "Unrecognized argument"}})
        listed = {"projects": page(PROJECT), "api_keys": page(KEY), "users": page({"id": "user-1"})}
        return listed.get(_last(asked), Reply())

    with scripted(reply) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    gaps = [row for row in inventory.coverage if row.state is not CoverageState.COMPLETE]
    assert [key.id for key in inventory.keys] == ["key_1"]
    assert [(gap.collection, gap.state) for gap in gaps] == [
        (Collection.PROJECT_KEYS, CoverageState.PARTIAL)
    ]


@pytest.mark.parametrize("knows_parameter", [True, False])
def test_a_rejected_later_page_keeps_the_earlier_ones(*, knows_parameter: bool) -> None:
    hidden = KEY | {"id": "key_2", "owner_project_access": "inactive"}

    def reply(asked: Asked) -> Reply:
        is_hiding = "owner_project_access" not in asked.query
        if "after" in asked.query or not (knows_parameter or is_hiding):
            return Reply(status=400, body={"error": {"message": "no"}})
        keys = [KEY] if is_hiding else [KEY, hidden]
        more = Reply(body={"data": keys, "has_more": True})
        listed = {"projects": page(PROJECT), "api_keys": more, "users": page({"id": "user-1"})}
        return listed.get(_last(asked), Reply())

    with scripted(reply) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    expected = ["key_1", "key_2"] if knows_parameter else ["key_1"]
    assert [key.id for key in inventory.keys] == expected
    assert not is_complete(inventory.coverage)


def test_an_api_that_ignores_the_parameter_may_hide_keys_of_empty_projects_too() -> None:
    plain = {"id": "key_1", "name": "k", "redacted_value": "sk-...", "owner": OWNER}

    def reply(asked: Asked) -> Reply:
        if asked.path.endswith("proj_1/api_keys"):
            return page(plain)
        listed = {"projects": page(PROJECT, {**PROJECT, "id": "proj_9"})}
        return (listed | {"users": page({"id": "user-1"})}).get(_last(asked), Reply())

    with scripted(reply) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    gaps = {row.project_id for row in inventory.coverage if row.state is not CoverageState.COMPLETE}
    assert gaps == {"proj_1", "proj_9"}


def test_an_empty_page_of_projects_with_has_more_is_a_gap() -> None:
    empty = Reply(body={"data": [], "has_more": True})
    with scripted(lambda _asked: empty) as (_, client, _waits):
        inventory = asyncio.run(_collect(client()))
    assert (inventory.projects, is_complete(inventory.coverage)) == ((), False)


def test_an_id_that_two_projects_list_is_reported_as_ambiguous(
    organization: SandboxOrganization, sandbox_url: str
) -> None:
    assert walk(sandbox_url).ambiguous == ()
    first, second = list(organization.projects.values())[:2]
    key = next(iter(first.keys.values()))
    second.keys[key.id] = key
    inventory = walk(sandbox_url)
    assert inventory.ambiguous == (key.id,)
    assert [one.id for one in inventory.keys].count(key.id) == 1


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=40), timedelta(days=-30)])
def test_the_difference_of_the_clocks_is_measured(sandbox_url: str, ahead: timedelta) -> None:
    assert walk(sandbox_url, clock=lambda: NOW + ahead).clock_ahead == ahead


def test_without_a_date_the_clocks_are_not_compared(organization: SandboxOrganization) -> None:
    def no_date(app: AsgiApp) -> AsgiApp:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            async def without(message: Any) -> None:
                headers = message.get("headers", [])
                kept = [(name, value) for name, value in headers if name.lower() != b"date"]
                await send({**message, "headers": kept} if headers else message)

            await app(scope, receive, without)

        return called

    with serving(no_date(SandboxApp(organization, clock=NOW.timestamp))) as url:
        assert walk(url).clock_ahead is None
