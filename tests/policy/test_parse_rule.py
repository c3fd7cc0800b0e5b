"""The other parts of a rule, and exceptions: valid, or rejected with their places."""

from datetime import date, timedelta

import pytest

from scanner.errors import PolicyError
from scanner.finding import ExceptionText
from scanner.policy.model import Policy, Response
from scanner.policy.parse import parse_policy
from scanner.policy.trial import failed_examples
from scanner.revocation import Method
from scanner.severity import Severity
from tests.support.prose import Prose

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
    ("more", "place"),
    [
        ("severity_when: {}", "9:20: "),
        (
            "severity_when: { low: { used: true } }",
            "9:22: ",
        ),
        (
            "severity_when: { hihg: { used: true } }",
            "9:22: ",
        ),
        (
            "respond: { revoke: delte, after: 1d }",
            "9:24: ",
        ),
        (
            "respond: { revoke: delete, after: 0d }",
            "9:39: ",
        ),
        ("respond: { revoke: delete }", "9:14: "),
        ("examples: { violating: [] }", "9:28: "),
        ("examples: { compliant: [{}] }", "9:29: "),
        (
            "examples: { compliant: [{ aeg: 1d }] }",
            "9:31: ",
        ),
        (
            "examples: { compliant: [{ age: { over: 1d } }] }",
            "9:36: ",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_reported_at_its_place(more: str, place: str, prose: Prose) -> None:
    (found,) = mistakes(f"{HEAD}    {more}\n")
    assert found.startswith(f"p.yaml:{place}")
    prose(found)


@pytest.mark.parametrize(
    ("line", "instead", "place"),
    [
        (2, "rule: odl", "10:11: "),
        (2, "rule: []", "10:11: "),
        (3, "when: {}", "11:11: "),
        (5, "ticket: SEC-1", "10:5: "),
        (4, "reason: ''", "12:13: "),
        (6, "expires: never", "14:14: "),
        (6, "expires: 2027-02-30", "14:14: "),
    ],
)
def test_an_exception_needs_a_reason_an_owner_and_an_expiry(
    line: int, instead: str, place: str, prose: Prose
) -> None:
    lines = EXCEPTION.splitlines()
    lines[line - 1] = ("  - " if line == 2 else "    ") + instead
    (found,) = mistakes(HEAD + "\n".join(lines) + "\n")
    assert found.startswith(f"p.yaml:{place}")
    prose(found)


def test_an_example_with_another_outcome_is_reported_with_the_reason(prose: Prose) -> None:
    policy = read(
        "    applies_to: { key.kind: project }\n"
        "    examples:\n"
        "      violating: [{ age: 90d, key.kind: project }]\n"
        "      compliant:\n"
        "        - { age: 91d, key.kind: project }\n"
        "        - { age: 91d }\n"
        "        - { age: 91d, key.kind: admin }\n"
    )
    prose("\n".join([str(problem) for problem in failed_examples(policy)]))
