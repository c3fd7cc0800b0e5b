"""The baseline's rules, each on the smallest inventory that shows it."""

from datetime import timedelta

import pytest

from scanner.collection import Collection
from scanner.finding import Evidence, Finding, Outcome
from scanner.inventory import Inventory, OwnerKind, ProjectAccess, ProjectState, Unknown
from scanner.judge import judge
from scanner.policy_files import load_policies
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    a_mixed_inventory,
    a_project,
    a_user,
    ago,
    an_account,
    an_admin_key,
    an_inventory,
    an_owner,
    full_coverage,
)

BOT = an_owner(kind=OwnerKind.SERVICE_ACCOUNT, id="svc_1", name="bot", email=None)


def found(inventory: Inventory) -> list[Finding]:
    return list(judge(inventory, load_policies(["baseline"]), NOW).findings)


def verdicts(inventory: Inventory) -> list[tuple[str, str]]:
    return [(finding.rule.id, finding.outcome.value) for finding in found(inventory)]


def one(**changes: object) -> Inventory:
    return an_inventory(keys=(a_key(**changes),))


@pytest.mark.parametrize(
    ("inventory", "rule"),
    [
        (one(created_at=ago(days=90, seconds=1)), "key-too-old"),
        (one(created_at=ago(days=60), last_used_at=ago(days=45, seconds=1)), "key-unused"),
        (one(created_at=ago(days=14, seconds=1), last_used_at=None), "key-never-used"),
        (
            an_inventory(keys=(a_key(project_access=ProjectAccess.INACTIVE),), users=()),
            "owner-left-org",
        ),
        (an_inventory(users=(a_user(enabled=False),)), "owner-disabled"),
        (one(project_access=ProjectAccess.INACTIVE), "owner-lost-project-access"),
        (
            one(owner=BOT, project_access=ProjectAccess.INACTIVE),
            "service-account-missing",
        ),
        (one(expires_at=None), "key-without-expiry"),
        (
            an_inventory(projects=(a_project(state=ProjectState.ARCHIVED),)),
            "key-in-archived-project",
        ),
        (
            an_inventory(keys=(an_admin_key(created_at=ago(days=90, seconds=1)),)),
            "admin-key-too-old",
        ),
    ],
)
def test_each_rule_finds_its_violation_and_no_other_rule_does(
    inventory: Inventory, rule: str
) -> None:
    assert verdicts(inventory) == [(rule, "violated")]


@pytest.mark.parametrize(
    "inventory",
    [
        an_inventory(),
        one(created_at=ago(days=90)),
        one(created_at=ago(days=60), last_used_at=ago(days=45)),
        one(created_at=ago(days=14), last_used_at=None),
        an_inventory(keys=(a_key(owner=BOT),), service_accounts=(an_account(),)),
        an_inventory(keys=(an_admin_key(),)),
        an_inventory(keys=()),
    ],
)
def test_at_the_limit_a_key_is_still_in_order(inventory: Inventory) -> None:
    assert verdicts(inventory) == []


def test_evidence_says_what_was_observed_and_against_what() -> None:
    age = timedelta(days=412, hours=5)
    (finding,) = found(one(created_at=NOW - age))
    assert finding.evidence == (Evidence(fact="age", value=age, limit="over 90d"),)
    assert finding.evidence[0].observed == "412d 5h"


def test_the_worst_stands_first_and_what_is_undecided_last() -> None:
    inventory = an_inventory(
        keys=(
            a_key(id="key_low", expires_at=None),
            a_key(id="key_unknown", expires_at=Unknown(reason="not told")),
            a_key(id="key_high", created_at=ago(days=100)),
        )
    )
    assert [(f.key.id, f.outcome) for f in found(inventory)] == [
        ("key_high", Outcome.VIOLATED),
        ("key_low", Outcome.VIOLATED),
        ("key_unknown", Outcome.UNDETERMINED),
        ("key_unknown", Outcome.UNDETERMINED),
    ]


def test_without_the_users_nobody_is_guilty_and_nobody_is_cleared() -> None:
    gap = a_gap(Collection.USERS)
    coverage = tuple(r for r in full_coverage("proj_1") if r.collection is not Collection.USERS)
    findings = found(an_inventory(users=(), coverage=(*coverage, gap)))
    assert [(f.rule.id, f.outcome.value) for f in findings] == [
        ("owner-disabled", "undetermined"),
        ("owner-left-org", "undetermined"),
    ]
    (row,) = findings[0].evidence
    assert (row.fact, row.limit) == ("owner.state", "is disabled")
    assert row.observed == f"unknown: users could not be listed: {gap.reason}"
    assert findings[0].reason == f"users could not be listed: {gap.reason}"


def test_users_that_were_seen_in_part_clear_whom_they_name_and_convict_nobody() -> None:
    coverage = tuple(r for r in full_coverage("proj_1") if r.collection is not Collection.USERS)
    inventory = an_inventory(
        keys=(a_key(), a_key(id="key_2", owner=an_owner(id="user-2"))),
        coverage=(*coverage, a_gap(Collection.USERS)),
    )
    assert {(f.key.id, f.outcome.value) for f in found(inventory)} == {("key_2", "undetermined")}


def test_without_the_service_accounts_only_their_absence_is_undecided() -> None:
    coverage = tuple(
        r for r in full_coverage("proj_1") if r.collection is not Collection.SERVICE_ACCOUNTS
    )
    untold = Unknown(reason="the API did not say whether the owner can reach the project")
    inventory = an_inventory(
        keys=(a_key(owner=BOT), a_key(id="key_2", owner=BOT, project_access=untold)),
        coverage=coverage,
    )
    assert verdicts(inventory) == [
        ("owner-lost-project-access", "undetermined"),
        ("service-account-missing", "undetermined"),
    ]


def test_a_user_of_whom_it_is_not_told_whether_they_are_enabled_is_undecided_for_that_rule() -> (
    None
):
    inventory = an_inventory(users=(a_user(enabled=Unknown(reason="not told")),))
    assert verdicts(inventory) == [("owner-disabled", "undetermined")]


def test_the_service_account_behind_an_admin_key_cannot_be_looked_up() -> None:
    inventory = an_inventory(keys=(an_admin_key(owner=BOT),))
    assert verdicts(inventory) == [("service-account-missing", "undetermined")]


def test_an_owner_of_a_kind_we_do_not_know_is_undecided_everywhere() -> None:
    inventory = one(owner=an_owner(kind=Unknown(reason="the API gave the owner the type 'robot'")))
    assert {outcome for _, outcome in verdicts(inventory)} == {"undetermined"}
    assert len(verdicts(inventory)) == 4


def test_a_key_created_in_the_future_is_neither_old_nor_young() -> None:
    """Either clock is wrong, and a machine whose clock stands in the past must not see health."""
    inventory = one(created_at=NOW + timedelta(days=1), last_used_at=None)
    assert verdicts(inventory) == [
        ("key-too-old", "undetermined"),
        ("key-never-used", "undetermined"),
    ]


def test_judging_twice_gives_the_same() -> None:
    inventory = one(created_at=ago(days=400), expires_at=None)
    assert found(inventory) == found(inventory)


def test_every_rule_tells_how_many_keys_it_applied_to() -> None:
    keys = (a_key(), a_key(id="key_old", created_at=ago(days=100)), an_admin_key())
    judgement = judge(an_inventory(keys=keys), load_policies(["baseline"]), NOW)
    tallies = {t.rule.id: (t.applied, t.violated, t.undetermined) for t in judgement.rules}
    assert len(tallies) == 11
    assert tallies["key-too-old"] == (2, 1, 0)
    assert tallies["admin-key-too-old"] == (1, 0, 0)
    assert tallies["owner-left-org"] == (3, 0, 0)


def test_it_makes_no_difference_how_many_keys_are_judged_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policies = load_policies(["strict"])
    at_once = judge(a_mixed_inventory(), policies, NOW)
    monkeypatch.setattr("scanner.judge._AT_ONCE", 1)
    assert judge(a_mixed_inventory(), policies, NOW) == at_once
