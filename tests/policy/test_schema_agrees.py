"""The schema of policies accepts exactly what the parser accepts."""

import re
from typing import Any, Final

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from scanner.errors import PolicyError
from scanner.policy.facts import FACTS
from scanner.policy.operators import Operator
from scanner.policy.parse import parse_policy
from scanner.policy.schema import policy_schema
from tests.documents import near, spelled, words

INEXPRESSIBLE: Final = {
    "rules and policies that another entry names": (
        r"there is no rule '|no extended policy has a rule '|duplicate id"
    ),
    "what an override has from the rule that it changes": (
        r"'severity_when' can only raise|^(?:rule '[^']*': )?a rule lacks '"
        r"|has no effect on a disabled"
        r"|unknown key '(?:disabled|reason)' in a rule"
    ),
    "what `violated_when` names": r"unknown placeholder '",
    "whether a text is a regular expression": r"is not a valid regular expression",
}
"""What no schema can express, by the mistakes that the parser then reports; docs/policies.md
lists the same, and the spellings that the versions of YAML read differently."""

SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
BASE = parse_policy(
    """
policy: base
rules:
  - { id: old, title: t, severity: medium, violated_when: { used: true }, why: w, fix: f }
""",
    "base.yaml",
)
OWN = """
policy: mine
description: d
rules:
  - id: old
    title: t
    finding: "{age} of {limit}"
    severity: medium
    severity_when: { critical: { age: { over: 365d } }, high: { used: false } }
    applies_to: { key.kind: project, project.name: { like: "prod-*" } }
    violated_when:
      any:
        - { age: { over: 90d, known: true } }
        - { not: { owner.keys: { at_most: 5 } } }
        - all: [{ owner.state: [left_org, disabled] }, { owner.org_role: { not: owner } }]
        - { key.name: { matches: "^a" }, owner.id: { none_of: [a, b] }, expires_in: { under: 0d } }
    why: w
    fix: f
    controls: [owasp-nhi:NHI7]
    respond: { revoke: expire, after: 14d }
    examples:
      violating: [{ age: 91d, owner.keys: 3, project.name: null, used: true }]
      compliant: [{ owner.state: active, key.name: "a*" }]
exceptions:
  - { rule: [old], when: { key.id: a }, reason: r, owner: o, ticket: t, expires: "2030-01-31" }
"""
EXTENDING = """
policy: mine
extends: [base]
rules:
  - { id: old, severity: high, severity_when: { critical: { used: false } }, fix: other }
exceptions:
  - { rule: old, when: { used: true }, reason: r, owner: o, expires: "2030-01-31" }
"""
DISABLING = "{ policy: mine, extends: base, rules: [{ id: old, disabled: true, reason: r }] }"
SEEDS = [yaml.safe_load(text) for text in (OWN, EXTENDING, DISABLING)]
KEYS = sorted({*words(SCHEMA), *FACTS, *Operator, "nonsuch"})


def mistakes(document: Any) -> list[str]:
    try:
        parse_policy(spelled(document), "p.yaml", lambda _name: BASE)
    except PolicyError as error:
        return [problem.message for problem in error.problems]
    return []


def agree(document: Any) -> None:
    found = mistakes(document)
    complaints = [error.message for error in VALIDATOR.iter_errors(document)]
    if complaints:
        assert found, complaints
    else:
        unlisted = [one for one in found if not re.search("|".join(INEXPRESSIBLE.values()), one)]
        assert not unlisted


@pytest.mark.parametrize("seed", SEEDS)
def test_the_documents_to_begin_with_are_right(seed: Any) -> None:
    assert mistakes(seed) == []
    agree(seed)


@settings(max_examples=300)
@given(near(SEEDS, KEYS))
def test_schema_and_parser_agree_on_documents_near_the_right_ones(document: Any) -> None:
    agree(document)
