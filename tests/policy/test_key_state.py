"""Rules apply to live keys, unless a condition names the state; what may be live counts as live."""

from datetime import timedelta
from typing import Any

import pytest

from scanner.finding import Outcome
from scanner.inventory import Key, Unknown
from scanner.judge import judge
from scanner.policy.explain import explain_rule
from scanner.policy.facts import FACTS
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.policy.trial import failed_examples
from scanner.policy_files import load_policies
from tests.factories import NOW, a_key, a_subject, ago, an_inventory

UNTOLD = Unknown(reason="not told")
LIVE = a_key(id="key_live", expires_at=NOW + timedelta(seconds=1))
EXPIRED = a_key(id="key_expired", created_at=ago(days=400), expires_at=NOW)
UNCLEAR = a_key(id="key_unclear", expires_at=UNTOLD)
RULE = """
policy: p
rules:
  - id: r
    title: t
    severity: low
    violated_when: {when}
    why: w
    fix: f
{more}"""


def a_policy(when: str, more: str = "") -> Policy:
    return parse_policy(RULE.format(when=when, more=more), "p.yaml")


def found(policy: Policy, *keys: Key) -> set[tuple[str, Outcome]]:
    findings = judge(an_inventory(keys=keys), [policy], NOW).findings
    return {(finding.key.id, finding.outcome) for finding in findings}


VIOLATED = Outcome.VIOLATED


@pytest.mark.parametrize(
    ("when", "more", "expected"),
    [
        ("{ key.id: { known: true } }", "", {("key_live", VIOLATED), ("key_unclear", VIOLATED)}),
        ("{ not: { key.id: key_9 } }", "", {("key_live", VIOLATED), ("key_unclear", VIOLATED)}),
        (
            "{ key.id: { known: true } }",
            "    severity_when: { critical: { key.state: expired } }",
            {("key_live", VIOLATED), ("key_unclear", VIOLATED)},
        ),
        (
            "{ key.id: { known: true } }",
            "    applies_to: { key.state: [live, expired, disabled] }",
            {("key_live", VIOLATED), ("key_expired", VIOLATED), ("key_unclear", VIOLATED)},
        ),
        (
            "{ any: [ { key.state: expired }, { key.name: x } ] }",
            "",
            {("key_expired", VIOLATED), ("key_unclear", Outcome.UNDETERMINED)},
        ),
        (
            "{ not: { key.state: live } }",
            "",
            {("key_expired", VIOLATED), ("key_unclear", Outcome.UNDETERMINED)},
        ),
        ("{ key.state: disabled }", "", set()),
    ],
)
def test_a_rule_is_for_live_keys_unless_a_condition_names_their_state(
    when: str, more: str, expected: set[tuple[str, Outcome]]
) -> None:
    assert found(a_policy(when, more), LIVE, EXPIRED, UNCLEAR) == expected


def test_a_dead_key_counts_as_one_to_which_the_rule_does_not_apply() -> None:
    policy = a_policy("{ age: { over: 900d } }")
    keys = (LIVE, EXPIRED, UNCLEAR)
    (tally,) = judge(an_inventory(keys=keys), [policy], NOW).rules
    assert (tally.applied, tally.violated) == (2, 0)


@pytest.mark.parametrize("name", ["strict", "admin-keys", "production"])
def test_no_shipped_rule_finds_anything_on_a_key_that_has_just_expired(name: str) -> None:
    (policy,) = load_policies([name])
    key = a_key(created_at=ago(days=400), last_used_at=None, expires_at=NOW, project_access=None)
    judgement = judge(an_inventory(keys=(key,), users=()), [policy], NOW)
    assert judgement.findings == ()


@pytest.mark.parametrize(
    ("expires_at", "is_found"),
    [
        (ago(days=14), False),
        (ago(days=14, seconds=1), True),
        (NOW + timedelta(days=1), False),
        (None, False),
    ],
)
def test_a_dead_key_that_was_not_deleted_is_one_low_finding_after_a_grace(
    expires_at: Any, *, is_found: bool
) -> None:
    (policy,) = load_policies(["baseline"])
    keys = (a_key(created_at=ago(days=60), last_used_at=ago(days=20), expires_at=expires_at),)
    findings = judge(an_inventory(keys=keys), [policy], NOW).findings
    rules = {(f.rule.id, f.severity.value) for f in findings}
    assert (("key-expired-not-deleted", "low") in rules) is is_found


def test_examples_are_of_live_keys_unless_they_say_otherwise() -> None:
    examples = """    examples:
      violating: [{ age: 91d }, { age: 91d, key.state: live }]
      compliant: [{ age: 91d, key.state: expired }, { age: 90d }]
"""
    assert list(failed_examples(a_policy("{ age: { over: 90d } }", examples))) == []
    named = """    examples:
      violating: [{ key.state: disabled }]
      compliant: [{ age: 1d }]
"""
    policy = a_policy("{ key.state: disabled }", named)
    assert list(failed_examples(policy)) == []


def test_the_restriction_is_shown_where_a_rule_is_explained() -> None:
    (implied,) = a_policy("{ age: { over: 90d } }").rules
    (named,) = a_policy("{ key.state: expired }").rules
    assert dict(explain_rule(implied))["applies to"] == "live keys"
    assert "live keys" in implied.text.reads
    assert dict(explain_rule(named))["applies to"] == "keys in any state"


@pytest.mark.parametrize(
    ("expires_at", "state", "expired_for"),
    [
        (None, "live", None),
        (NOW + timedelta(seconds=1), "live", None),
        (NOW, "expired", timedelta()),
        (ago(days=3), "expired", timedelta(days=3)),
    ],
)
def test_the_state_changes_at_the_moment_of_the_expiry(
    expires_at: Any, state: str, expired_for: timedelta | None
) -> None:
    subject = a_subject(keys=(a_key(created_at=ago(days=9), expires_at=expires_at),))
    assert FACTS["key.state"].read(subject) == state
    assert FACTS["expired_for"].read(subject) == expired_for


def test_expired_keys_do_not_count_among_an_owners_keys() -> None:
    keys = (a_key(), a_key(id="key_2", expires_at=ago(days=1)), UNCLEAR)
    subject = a_subject(keys=keys)
    counts = [
        FACTS[name].read(subject) for name in ("owner.keys", "owner.project_keys", "project.keys")
    ]
    assert counts == [2, 2, 2]
