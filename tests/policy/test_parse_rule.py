"""What a rule may say beyond its conditions, and exceptions: read, or refused at their places."""

from datetime import date, timedelta

import pytest

from scanner.errors import PolicyError
from scanner.finding import ExceptionText
from scanner.policy.model import Policy, Response
from scanner.policy.parse import parse_policy
from scanner.policy.trial import failed_examples
from scanner.revocation import Method
from scanner.severity import Severity

HEAD = """\
policy: mine
rules:
  - id: old
    title: Old keys
    severity: medium
    violated_when: { age: { over: 90d } }
    why: Because.
    fix: Do it.
"""
EXCEPTION = """\
exceptions:
  - rule: old
    when: { key.id: key_1 }
    reason: Vendor appliance
    owner: platform@example.com
    expires: 2027-01-31
"""


def read(more: str) -> Policy:
    return parse_policy(HEAD + more, "p.yaml")


def mistakes(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_severity_rises_by_steps_the_worst_first() -> None:
    (rule,) = read(
        "    severity_when:\n"
        "      high: { age: { over: 180d } }\n"
        "      critical: { age: { over: 365d } }\n"
    ).rules
    assert [step.severity for step in rule.steps] == [Severity.CRITICAL, Severity.HIGH]


def test_a_response_an_example_and_an_exception_are_read() -> None:
    policy = read(
        "    respond: { revoke: expire, after: 14d }\n"
        "    examples:\n"
        "      violating: [{ age: 91d }]\n"
        "      compliant: [{ age: 90d, project.name: null, key.name: a* }]\n" + EXCEPTION
    )
    (rule,) = policy.rules
    assert rule.respond == Response(revoke=Method.EXPIRE, after=timedelta(days=14))
    assert [(dict(e.facts), e.is_violating) for e in rule.examples] == [
        ({"age": timedelta(days=91)}, True),
        ({"age": timedelta(days=90), "project.name": None, "key.name": "a*"}, False),
    ]
    (exemption,) = policy.exemptions
    assert exemption.text == ExceptionText(
        rules=("old",),
        reason="Vendor appliance",
        owner="platform@example.com",
        ticket="",
        expires=date(2027, 1, 31),
        file="p.yaml",
        line=14,
        column=5,
    )


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ("severity_when: {}", "9:20: rule 'old': 'severity_when' takes conditions by severity"),
        (
            "severity_when: { low: { used: true } }",
            "9:22: rule 'old': 'severity_when' only raises: 'low' is no worse than medium",
        ),
        (
            "severity_when: { hihg: { used: true } }",
            "9:22: rule 'old': 'severity_when' knows no severity 'hihg'; did you mean 'high'?",
        ),
        (
            "respond: { revoke: delte, after: 1d }",
            "9:24: rule 'old': 'revoke' is never 'delte'; did you mean 'delete'?",
        ),
        (
            "respond: { revoke: delete, after: 0d }",
            "9:39: rule 'old': 'after' is how long owners are given, such as 14d; it is never 0",
        ),
        ("respond: { revoke: delete }", "9:14: rule 'old': 'respond' lacks 'after'"),
        ("examples: { violating: [] }", "9:28: rule 'old': 'violating' takes a list of made-up"),
        ("examples: { compliant: [{}] }", "9:29: rule 'old': an example is a mapping of facts"),
        (
            "examples: { compliant: [{ aeg: 1d }] }",
            "9:31: rule 'old': unknown fact 'aeg'; did you mean 'age'?",
        ),
        (
            "examples: { compliant: [{ age: { over: 1d } }] }",
            "9:36: rule 'old': 'age' takes a single value",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_at_its_place(more: str, mistake: str) -> None:
    (told,) = mistakes(f"{HEAD}    {more}\n")
    assert told.startswith(f"p.yaml:{mistake}")


@pytest.mark.parametrize(
    ("line", "instead", "mistake"),
    [
        (2, "rule: odl", "10:11: there is no rule 'odl' in this policy; did you mean 'old'?"),
        (2, "rule: []", "10:11: 'rule' takes the id of a rule, or a list of them"),
        (3, "when: {}", "11:11: an empty condition would hold for every key; name a fact"),
        (5, "ticket: SEC-1", "10:5: an exception lacks 'owner'"),
        (4, "reason: ''", "12:13: 'reason' must not be empty"),
        (6, "expires: never", "14:14: 'expires' is a day such as 2027-01-31, which 'never' is"),
        (6, "expires: 2027-02-30", "14:14: 'expires' is a day such as 2027-01-31, which '2027-"),
    ],
)
def test_an_exception_must_say_why_for_whom_and_until_when(
    line: int, instead: str, mistake: str
) -> None:
    lines = EXCEPTION.splitlines()
    lines[line - 1] = ("  - " if line == 2 else "    ") + instead
    (told,) = mistakes(HEAD + "\n".join(lines) + "\n")
    assert told.startswith(f"p.yaml:{mistake}")


def test_an_example_that_comes_out_otherwise_is_told_with_the_reason() -> None:
    policy = read(
        "    applies_to: { key.kind: project }\n"
        "    examples:\n"
        "      violating: [{ age: 90d, key.kind: project }]\n"
        "      compliant:\n"
        "        - { age: 91d, key.kind: project }\n"
        "        - { age: 91d }\n"
        "        - { age: 91d, key.kind: admin }\n"
    )
    assert [str(problem) for problem in failed_examples(policy)] == [
        (
            "p.yaml:11:19: rule 'old': the example { age: 90d, key.kind: project } is listed as"
            " violating, but does not violate the rule"
        ),
        (
            "p.yaml:13:11: rule 'old': the example { age: 91d, key.kind: project } is listed as"
            " compliant, but violates the rule"
        ),
        (
            "p.yaml:14:11: rule 'old': the example { age: 91d } is listed as compliant, but cannot"
            " be decided: the example does not give 'key.kind'"
        ),
    ]
