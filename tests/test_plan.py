import pytest

from scanner.collection import OPTIONAL, Collection
from scanner.inventory import (
    CoverageState,
    OwnerKind,
    ProjectAccess,
    ProjectState,
    is_complete,
)
from scanner.plan import Plan, make_plan, with_gaps
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.policy_files import load_policies
from tests.factories import a_key, a_project, an_inventory, an_owner, full_coverage

ALWAYS = {Collection.PROJECTS, Collection.PROJECT_KEYS, Collection.ADMIN_KEYS}


def policy(condition: str, scope: str = "key.kind: project") -> Policy:
    text = f"""
policy: p
rules:
  - id: r
    title: t
    severity: low
    applies_to: {{ {scope} }}
    violated_when: {{ {condition} }}
    why: w
    fix: f
"""
    return parse_policy(text, "p.yaml")


def asked(plan: Plan) -> set[Collection]:
    return {collection for collection in Collection if plan.asks_for(collection)}


def test_a_rule_about_keys_only_requests_projects_and_keys_only() -> None:
    assert asked(make_plan([policy("age: { over: 90d }")])) == ALWAYS


def test_data_that_a_rules_nested_scope_needs_is_requested() -> None:
    nested = policy("age: { over: 1d }", scope="any: [ { not: { owner.org_role: owner } } ]")
    assert asked(make_plan([nested])) == ALWAYS | {Collection.USERS}


def test_the_baseline_needs_no_more_than_keys_and_owners() -> None:
    plan = make_plan(load_policies(["baseline"]))
    assert asked(plan) == ALWAYS | {Collection.USERS, Collection.SERVICE_ACCOUNTS}
    assert not plan.every_account


def test_all_collections_except_the_skipped_ones_are_requested_on_demand() -> None:
    plan = make_plan(everything=True, skip=[Collection.COSTS])
    assert asked(plan) == set(Collection) - {Collection.COSTS}
    assert plan.every_account


def test_a_snapshot_contains_all_data_except_optional_collections() -> None:
    assert asked(make_plan(for_later=True)) == set(Collection) - set(OPTIONAL)


def test_each_step_has_a_reason() -> None:
    reasons = {
        step.collection: step.reason for step in make_plan([policy("age: {over: 1d}")]).steps
    }
    assert reasons[Collection.PROJECTS] == "every scan lists them"
    assert reasons[Collection.USERS] == "no rule needs it"
    with_users = make_plan([policy("owner.org_role: owner")])
    assert {s.collection: s.reason for s in with_users.steps}[Collection.USERS] == "for r"


def test_data_missing_in_a_snapshot_is_a_gap_if_a_rule_needs_it() -> None:
    """A rule about owners must be undetermined on a snapshot without users."""
    rows = tuple(r for r in full_coverage("proj_1") if r.collection in ALWAYS)
    inventory = an_inventory(users=(), coverage=rows)
    ages, roles = policy("age: { over: 90d }"), policy("owner.org_role: owner")
    assert with_gaps(inventory, make_plan([ages])) == inventory
    (gap,) = with_gaps(inventory, make_plan([roles])).coverage[len(rows) :]
    assert (gap.collection, gap.state) == (Collection.USERS, CoverageState.UNAVAILABLE)


@pytest.mark.parametrize(
    ("access", "state", "is_needed"),
    [
        (ProjectAccess.INACTIVE, ProjectState.ACTIVE, True),
        (ProjectAccess.ACTIVE, ProjectState.ACTIVE, False),  # proves that its owner exists
        (ProjectAccess.INACTIVE, ProjectState.ARCHIVED, False),  # the API lists none there
    ],
)
def test_service_accounts_are_a_gap_in_each_project_whose_keys_need_them(
    access: ProjectAccess, state: ProjectState, *, is_needed: bool
) -> None:
    owner = an_owner(kind=OwnerKind.SERVICE_ACCOUNT)
    inventory = an_inventory(
        projects=(a_project(state=state), a_project(id="proj_2")),
        keys=(a_key(owner=owner, project_access=access),),
        service_accounts=(),
        coverage=tuple(
            row
            for row in full_coverage("proj_1", "proj_2")
            if row.collection is not Collection.SERVICE_ACCOUNTS
        ),
    )
    plan = make_plan([policy("owner.state: service_account_missing")])
    gaps = with_gaps(inventory, plan).coverage[len(inventory.coverage) :]
    expected = [(Collection.SERVICE_ACCOUNTS, "proj_1")] if is_needed else []
    assert [(gap.collection, gap.project_id) for gap in gaps] == expected
    assert not any(row in gaps for row in with_gaps(inventory, make_plan()).coverage)


@pytest.mark.parametrize("condition", ["usage.requests: 9", "usage.cost_usd: 9", "scopes: all"])
def test_an_optional_collection_that_new_rules_need_is_a_gap_unless_it_is_skipped(
    condition: str,
) -> None:
    inventory = an_inventory(coverage=full_coverage("proj_1"))
    needing = [policy(condition)]
    added = set(with_gaps(inventory, make_plan(needing)).coverage) - set(inventory.coverage)
    assert {row.collection for row in added} <= set(OPTIONAL)
    assert not is_complete(added)
    assert with_gaps(inventory, make_plan(needing, skip=OPTIONAL)) == inventory
