"""The shipped policies on an organization of one key per case: exactly these keys are found."""

import asyncio

import pytest

from scanner.finding import Judgement, Outcome
from scanner.inventory import Inventory
from scanner.judge import judge
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.pace import Pace
from scanner.policy_files import load_policies, shipped_policies
from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.factories import EVERYTHING, NOW

STALE = {
    "owner-left-org": {"left"},
    "owner-disabled": {"disabled"},
    "owner-lost-project-access": {"moved"},
    "service-account-missing": {"orphan"},
}
BASELINE = {
    **STALE,
    "key-too-old": {"old"},
    "admin-key-too-old": {"admin old"},
    "key-in-archived-project": {"archived"},
    "key-unused": {"unused", "admin unused", "admin old"},
    "key-never-used": {"never used", "admin never used"},
    "key-without-expiry": {"endless", "admin endless", "prod endless"},
    "key-expired-not-deleted": {"expired"},
}
EXPECTED = {
    "offboarding": STALE,
    "baseline": BASELINE,
    "owasp-nhi": BASELINE,
    "soc2": BASELINE,
    "iso-27001": BASELINE,
    "nist-800-53": {k: v for k, v in BASELINE.items() if k != "key-without-expiry"},
    "pci-dss-4": {
        **STALE,
        "key-too-old": {"old"},
        "admin-key-too-old": {"admin old"},
        "key-unused": {"admin old"},
        "key-never-used": set(),
    },
    "strict": {
        **BASELINE,
        "key-never-used": {"never used", "admin never used", "hardly used"},
        "key-lives-too-long": {"far", "old", "admin old"},
        "one-key-for-each-owner": {"one of two", "two of two"},
    },
    "admin-keys": {
        "admin-key-too-old": {"admin old"},
        "admin-key-unused": {"admin unused", "admin old"},
        "admin-key-never-used": {"admin never used"},
        "admin-key-without-expiry": {"admin endless"},
        "admin-key-owner-is-no-owner": {"admin reader's"},
    },
    "production": {
        "production-key-of-a-person": {"prod person"},
        "production-key-without-expiry": {"prod endless"},
        "production-key-expires-soon": {"prod soon"},
        "production-account-is-an-owner": {"prod owner"},
    },
}


def stories() -> SandboxOrganization:
    build = Builder("Stories", seed=1, now=int(NOW.timestamp()))
    _people(build)
    _lives(build)
    _production(build)
    _admins(build)
    return build.organization


def _people(build: Builder) -> None:
    """Add owners who left, were disabled, moved, or of whom only the key is left."""
    people = [build.member(name) for name in ("Left", "Disabled", "Moved", "There")]
    left, disabled, moved, there = people
    project = build.project("people", *people)
    for name, owner in (("left", left), ("disabled", disabled), ("moved", moved), ("fine", there)):
        build.key(project, owner, name, age=30, used=1, expires=30)
    orphan = build.account(project, "orphan")
    build.key(project, orphan, "orphan", age=30, used=1, expires=30)
    del project.accounts[orphan.id]
    build.leave(left)
    disabled.enabled = False
    del project.roles[moved.id]


def _lives(build: Builder) -> None:
    """Add keys that are too old, unused, never used, without an end, or with one far away."""
    project = build.project("lives")
    old_project = build.project("gone", archived=10)

    def add(
        name: str, *, age: float = 30, used: float | None = 1, expires: float | None = 30
    ) -> None:
        where = old_project if name == "archived" else project
        build.key(where, build.account(where, name), name, age=age, used=used, expires=expires)

    add("old", age=91)
    add("archived")
    add("unused", age=60, used=46)
    add("never used", age=15, used=None)
    add("hardly used", age=8, used=None)
    add("endless", expires=None)
    add("far", age=1, expires=90)
    add("expired", age=200, used=100, expires=-15)
    add("just expired", age=200, used=100, expires=-13)
    twin = build.account(project, "twin")
    for name in ("one of two", "two of two"):
        build.key(project, twin, name, age=30, used=1, expires=30)
    single = build.account(project, "single")
    for name, expires in (("replacement", 30), ("replaced", -1)):
        build.key(project, single, name, age=30, used=1, expires=expires)


def _production(build: Builder) -> None:
    """Add a production project with a person's key and keys of service accounts."""
    person = build.member("Person")
    project = build.project("shop-prod", person)
    build.key(project, person, "prod person", age=30, used=1, expires=30)
    accounts = {name: build.account(project, name) for name in ("endless", "soon", "owner", "fine")}
    accounts["owner"].role = "owner"
    for name, account in accounts.items():
        expires = {"endless": None, "soon": 6.0}.get(name, 30.0)
        build.key(project, account, f"prod {name}", age=30, used=1, expires=expires)


def _admins(build: Builder) -> None:
    """Add admin keys, one of a user who is not an owner of the organization."""
    owner = build.member("Owner", role="owner")
    reader = build.member("Reader")
    build.admin_key(owner, "admin fine", age=30, used=1, expires=30)
    build.admin_key(owner, "admin old", age=91, used=91, expires=30)
    build.admin_key(owner, "admin unused", age=60, used=46, expires=30)
    build.admin_key(owner, "admin never used", age=15, used=None, expires=30)
    build.admin_key(owner, "admin endless", age=30, used=1, expires=None)
    build.admin_key(reader, "admin reader's", age=30, used=1, expires=30)


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    async def walk(url: str) -> Inventory:
        async with AdminClient(Secret(SANDBOX_KEY), base_url=url, pace=Pace(8)) as client:
            return await ApiCollector(client, EVERYTHING, clock=lambda: NOW).collect()

    with serving(SandboxApp(stories(), clock=NOW.timestamp)) as url:
        return asyncio.run(walk(url))


def judged(inventory: Inventory, name: str) -> Judgement:
    return judge(inventory, load_policies([name]), NOW)


def test_every_shipped_policy_is_expected_here() -> None:
    assert set(EXPECTED) == set(shipped_policies())


@pytest.mark.parametrize("name", EXPECTED)
def test_each_rule_finds_its_stories_and_no_other_key(inventory: Inventory, name: str) -> None:
    ids = {key.name: key.id for key in inventory.keys}
    assert len(ids) == len(inventory.keys)
    judgement = judged(inventory, name)
    found = {
        tally.rule.id: {
            finding.key.id
            for finding in judgement.findings
            if finding.rule is tally.rule and finding.outcome is Outcome.VIOLATED
        }
        for tally in judgement.rules
    }
    expected = {rule: {ids[key] for key in keys} for rule, keys in EXPECTED[name].items()}
    assert found == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_is_left_open_and_every_rule_applies_to_a_key(
    inventory: Inventory, name: str
) -> None:
    judgement = judged(inventory, name)
    open_keys = {f.key.name for f in judgement.findings if f.outcome is Outcome.UNDETERMINED}
    assert open_keys == set()
    assert all(tally.applied for tally in judgement.rules)
