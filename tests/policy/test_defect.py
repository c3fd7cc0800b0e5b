"""Findings are titled by the defect: as the policy words it, or derived from the condition."""

from datetime import timedelta

import pytest

from scanner.errors import PolicyError
from scanner.finding import Finding, Outcome
from scanner.inventory import Unknown
from scanner.judge import judge
from scanner.policy.model import Policy, Rule
from scanner.policy.parse import parse_policy
from scanner.policy_files import read_policies, shipped_policies
from scanner.words import title
from tests.factories import NOW, a_key, ago, an_inventory

RULE = """\
  - id: old
    title: Keys are replaced
    severity: medium
    violated_when: {condition}
    why: w
    fix: f
"""


def a_policy(condition: str, more: str = "") -> Policy:
    text = f"policy: mine\nrules:\n{RULE.format(condition=condition)}{more}"
    return parse_policy(text, "p.yaml")


def a_rule(condition: str, finding: str | None = None) -> Rule:
    (rule,) = a_policy(condition, f'    finding: "{finding}"\n' if finding else "").rules
    return rule


def the_finding(policy: Policy, **key: object) -> Finding:
    (finding,) = judge(an_inventory(keys=(a_key(**key),)), [policy], NOW).findings
    return finding


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{ age: { over: 90d } }", "Key: over 90 days old"),
        ("{ used: false, idle: { over: 36h } }", "Key: never used and not used for over 36 hours"),
        ("{ owner.state: left_org }", "Owner left the organization"),
        ("{ owner.state: [active, disabled] }", "Owner is active or owner is disabled"),
        ("{ owner.state: { not: active } }", "Owner state is not active"),
        ("{ used: { not: true } }", "Key: never used"),
        ("{ any: [{ expires: false }, { lifetime: { over: 1w } }] }",
         "Key: never expires or lifetime of over 7 days"),
        ("{ not: { age: { at_most: 90d } } }", "Key: not (at most 90 days old)"),
        ("{ owner.project_keys: { over: 1500 } }", "Owner has over 1,500 keys in the project"),
        ('{ key.name: { unlike: "prod-*" } }', "Key name unlike prod-*"),
        ("{ project.name: { none_of: [a, b] } }", "Project name is none of a, b"),
        ("{ owner.email: { known: false } }", "Owner email is unknown"),
    ],
)  # fmt: skip
def test_a_rule_without_a_text_is_titled_by_its_condition(condition: str, expected: str) -> None:
    assert a_rule(condition).text.defect == expected


def test_a_text_has_the_values_of_a_key_and_for_several_keys_the_limit() -> None:
    policy = a_policy("{ age: { over: 90d } }", '    finding: "Key is {age} old (limit {limit})"\n')
    finding = the_finding(policy, created_at=ago(days=134))
    assert title(finding) == "Key is 134 days old (limit 90 days)"
    assert finding.rule.defect == "Key is over 90 days old"


def test_a_value_next_to_its_limit_differs_from_it() -> None:
    policy = a_policy("{ age: { over: 90d } }", '    finding: "Key is {age} old, limit {limit}"\n')
    finding = the_finding(policy, created_at=ago(days=90, hours=2))
    assert title(finding) == "Key is 90 days and 2 hours old, limit 90 days"
    assert finding.rule.defect == "Key is over 90 days old, limit 90 days"


def test_without_a_text_the_title_of_a_finding_is_its_evidence() -> None:
    finding = the_finding(a_policy("{ age: { over: 90d } }"), created_at=ago(days=134))
    assert title(finding) == "Key: 134 days old, limit 90 days"


def test_a_value_that_did_not_decide_is_not_shown() -> None:
    policy = a_policy(
        "{ any: [{ age: { over: 90d } }, { expires: false }] }", '    finding: "{age} old"\n'
    )
    finding = the_finding(policy, created_at=ago(days=1), expires_at=None)
    assert [row.fact for row in finding.evidence] == ["expires"]
    assert title(finding) == finding.rule.defect == "over 90 days old"


def test_an_undetermined_finding_has_no_values() -> None:
    policy = a_policy("{ age: { over: 90d } }", '    finding: "Key is {age} old"\n')
    finding = the_finding(policy, created_at=Unknown(reason="not collected"))
    assert finding.outcome is Outcome.UNDETERMINED
    assert title(finding) == "Key is over 90 days old"


def test_a_placeholder_that_the_condition_does_not_name_is_a_mistake() -> None:
    for text, near in (("{agee}", "age"), ("{idle}", "age"), ("{}", "age"), ("{limits}", "limit")):
        with pytest.raises(PolicyError) as caught:
            a_rule("{ age: { over: 90d } }", text)
        (problem,) = caught.value.problems
        assert (problem.line, near in problem.message) == (9, True)
    with pytest.raises(PolicyError):
        a_rule("{ used: false }", "unused for {limit}")


def test_an_override_of_the_condition_renews_the_limit_or_drops_what_does_not_fit() -> None:
    text = '    finding: "Key is {age} old (limit {limit})"\n'
    base = a_policy("{ age: { over: 90d } }", text)
    for condition, expected in (
        ("{ age: { over: 30d } }", "Key is over 30 days old"),
        ("{ idle: { over: 30d } }", "Key: not used for over 30 days"),
    ):
        override = f"{{ id: old, violated_when: {condition} }}"
        (rule,) = parse_policy(
            f"policy: ours\nextends: mine\nrules:\n  - {override}\n", "o.yaml", lambda *_: base
        ).rules
        assert rule.text.defect == expected


@pytest.mark.parametrize("policy", read_policies(shipped_policies()), ids=lambda one: one.name)
def test_every_shipped_rule_names_its_defect(policy: Policy) -> None:
    for rule in policy.rules:
        assert rule.finding, rule.text.id
        assert "{" not in rule.text.defect
        assert rule.text.defect != rule.text.title


def test_the_longest_duration_is_spelled() -> None:
    assert a_rule("{ age: { over: 99999d } }").text.defect == "Key: over 99,999 days old"
    assert timedelta(days=99_999) > timedelta(days=90)
