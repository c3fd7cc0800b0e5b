"""Numbers in texts that the conditions do not compare with."""

import pytest

from scanner.policy.contradictions import contradictions
from scanner.policy.model import Policy, Rule
from scanner.policy.parse import parse_policy
from scanner.policy_files import read_policies, shipped_policies

RULE = """\
policy: mine
rules:
  - id: old
    title: "{title}"
    severity: medium
    violated_when: {condition}
    why: w
    fix: f
"""
AGE = "{ age: { over: 90d } }"
KEYS = "{ owner.keys: { over: 3 } }"


def a_rule(condition: str, title: str, more: str = "") -> Rule:
    (rule,) = parse_policy(RULE.format(condition=condition, title=title) + more, "p.yaml").rules
    return rule


@pytest.mark.parametrize(
    ("condition", "title"),
    [
        (AGE, "Keys are replaced within 90 days"),
        (AGE, "Keys of SOC 2 systems are replaced within 2160 hours"),
        (AGE, "Nobody has more than 3 keys"),
        (KEYS, "Owners have at most 3 keys for 90 days"),
        (KEYS, "Keys of level 4 systems"),
        ("{ used: false }", "Keys are used within 14 days"),
    ],
)
def test_texts_that_agree_or_speak_of_something_else(condition: str, title: str) -> None:
    assert list(contradictions(a_rule(condition, title))) == []


@pytest.mark.parametrize(
    ("condition", "title"),
    [
        (AGE, "Keys are replaced within 60 days"),
        (AGE, "A 60-day-old key"),
        (AGE, "Keys are replaced every 3 months, within 12 weeks"),
        (KEYS, "Owners have more than 5 keys"),
    ],
)
def test_texts_that_contradict_the_condition(condition: str, title: str) -> None:
    messages = list(contradictions(a_rule(condition, title)))
    assert len(messages) == 1
    assert "'title'" in messages[0]


def test_the_text_of_findings_and_the_limits_of_all_conditions_count() -> None:
    more = '    finding: "Key is over 60 days old"\n'
    (message,) = contradictions(a_rule(AGE, "Keys are replaced", more))
    assert "'finding'" in message
    steps = "    severity_when: { critical: { age: { over: 60d } } }\n"
    assert list(contradictions(a_rule(AGE, "Keys are replaced", more + steps))) == []


@pytest.mark.parametrize("policy", read_policies(shipped_policies()), ids=lambda one: one.name)
def test_no_shipped_rule_contradicts_itself(policy: Policy) -> None:
    assert [message for rule in policy.rules for message in contradictions(rule)] == []
