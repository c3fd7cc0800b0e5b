"""Changes during a listing: the inventory omits deleted items and loses no others."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from scanner.inventory import CoverageState, Inventory, KeyKind, KeyState, is_complete
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.pace import Pace
from scanner.policy_files import load_policies
from scanner.sandbox.app import SANDBOX_KEY, AsgiApp, Receive, SandboxApp, Scope, Send
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.quirk import Quirk
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.scan import scan
from scanner.secret import Secret
from tests.factories import EVERYTHING, NOW


class Watched:
    """Wraps an application; `before` is called with each path and query before the response."""

    def __init__(self, app: AsgiApp, before: Callable[[str], None]) -> None:
        self._app = app
        self._before = before

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._before(f"{scope['path']}?{scope['query_string'].decode()}")
        await self._app(scope, receive, send)


@pytest.fixture
def organization() -> SandboxOrganization:
    return seeded_organization(seed=7, projects=3, keys_per_project=150, now=int(NOW.timestamp()))


def walk(
    organization: SandboxOrganization, before: Callable[[str], None] = lambda _asked: None
) -> Inventory:
    async def go(url: str) -> Inventory:
        async with AdminClient(Secret(SANDBOX_KEY), base_url=url, pace=Pace(4)) as client:
            return await ApiCollector(client, EVERYTHING, clock=lambda: NOW).collect()

    app = SandboxApp(organization, clock=NOW.timestamp)
    with serving(Watched(app, before)) as url:
        return asyncio.run(go(url))


def test_a_listed_project_that_answers_404_is_a_gap(
    organization: SandboxOrganization,
) -> None:
    lost = list(organization.projects)[1]

    def before(asked: str) -> None:
        if f"{lost}/api_keys" in asked and "after=" in asked:
            organization.projects.pop(lost, None)

    found = walk(organization, before)
    rows = {row.project_id: row for row in found.coverage if row.collection == "api_keys"}
    assert rows[lost].state is CoverageState.PARTIAL
    assert not is_complete(found.coverage)
    assert {key.project_id for key in found.keys} >= set(organization.projects)


def test_a_key_created_while_its_project_is_read_is_listed_once(
    organization: SandboxOrganization,
) -> None:
    project = next(iter(organization.projects.values()))
    first = next(iter(project.keys.values()))
    made = replace(first, id="key_made_meanwhile")

    def before(asked: str) -> None:
        if f"{project.id}/api_keys" in asked and "after=" in asked:
            project.keys = {
                made.id: made,
                **project.keys,
            }  # before the cursor: all items move by one

    found = walk(organization, before)
    ids = [key.id for key in found.keys if key.project_id == project.id]
    assert is_complete(found.coverage)
    assert len(ids) == len(set(ids)) == 150


def test_a_page_that_cannot_be_found_again_is_a_gap(organization: SandboxOrganization) -> None:
    project = next(iter(organization.projects.values()))

    def before(asked: str) -> None:
        if f"{project.id}/api_keys" in asked and "after=" in asked:
            project.keys.pop(asked.rpartition("after=")[2], None)

    found = walk(organization, before)
    (row,) = [r for r in found.coverage if r.state is not CoverageState.COMPLETE]
    assert (row.project_id, row.state) == (project.id, CoverageState.PARTIAL)
    assert "Invalid cursor" in (row.reason or "")


def test_project_keys_among_the_admin_keys_are_counted_once_and_are_project_keys(
    organization: SandboxOrganization,
) -> None:
    truth = walk(organization)
    organization.quirks = frozenset({Quirk.MISLABELLED})
    found = walk(organization)
    assert found.keys == truth.keys
    assert sum(key.kind is KeyKind.ADMIN for key in found.keys) == len(organization.admin_keys)


def test_omitted_fields_are_undetermined_and_not_violations(
    organization: SandboxOrganization,
) -> None:
    policies = load_policies(["baseline"])
    whole = walk(organization)
    known = {key.id: key for key in whole.keys}
    truth = scan(lambda: whole, policies, NOW, lambda: NOW).result
    organization.quirks = frozenset({Quirk.SPARSE})
    sparse = walk(organization)
    found = scan(lambda: sparse, policies, NOW, lambda: NOW).result
    assert is_complete(sparse.coverage)
    assert len(sparse.keys) == organization.key_count()
    live = {key.id for key in sparse.keys if known[key.id].state(NOW) is KeyState.LIVE}
    violations = {f.fingerprint for f in found.violations if f.key.id in live}
    assert violations
    assert violations < {f.fingerprint for f in truth.violations}
    assert len(found.undetermined) > len(truth.undetermined)
