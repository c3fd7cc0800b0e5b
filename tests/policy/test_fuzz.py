"""Ten thousand mutated policies: each is read, or rejected with a place; no other error occurs."""

import random
import re

import pytest

from scanner.errors import PolicyError, Problem
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.policy_files import load_policies

pytestmark = pytest.mark.slow

MUTANTS = 10_000
TEXT = """\
policy: mine
description: All there is in the language.
extends: [baseline]
rules:
  - id: key-too-old
    severity: critical
    violated_when: { age: { over: 60d } }
  - { id: key-without-expiry, disabled: true, reason: Ours are renewed }
  - id: own
    title: Own
    severity: low
    severity_when: { high: { idle: { at_least: 1w 2d } } }
    applies_to: { not: { project.name: { like: "*-dev" } } }
    violated_when:
      any:
        - { owner.state: [left_org, disabled], owner.keys: { over: 3 } }
        - all: [{ used: false }, { expires_in: { known: false } }]
    why: Because.
    fix: Do it.
    controls: [owasp-nhi:NHI7]
    respond: { revoke: expire, after: 14d }
    examples: { violating: [{ used: false, expires_in: null, age: 3d }] }
exceptions:
  - { rule: own, when: { key.id: key_1 }, reason: r, owner: o, expires: 2027-01-31 }
"""
SCRAPS = [
    *"{}[]:,-#&*!|>'\"%@`?~\t\r\n \ufeff\x00\x85\u2028",
    *("[]", "{}", "&a", "*a", "<<: *a", "---", "...", "!!python/object:os.system x", "!!binary"),
    *("null", "yes", "on", "0o17", "010", "1:30", "1e3", ".inf", "2027-02-30", "90", "90d", "-1d"),
    *("all", "any", "not", "over", "known", "age", "used", "disabled: true", "id: own", "true"),
]


def mutant(chance: random.Random) -> str:
    """Put scraps, and pieces of the policy itself, where they do not belong."""
    text = TEXT
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(text) + 1)
        end = start + chance.choice((0, 0, 1, 3, 12))
        piece = chance.randrange(len(TEXT))
        scraps = (*SCRAPS, TEXT[piece : piece + 20])
        text = text[:start] + chance.choice((chance.choice(scraps), "")) + text[end:]
    return text


def mistakes(text: str, baseline: Policy) -> tuple[Problem, ...] | None:
    """Return what is wrong with a policy, or None if it is read."""
    try:
        parse_policy(text, "p.yaml", lambda _name: baseline)
    except PolicyError as error:
        return error.problems
    return None


def test_a_mutilated_policy_is_read_or_refused_at_a_place() -> None:
    (baseline,) = load_policies(["baseline"])
    chance = random.Random(2026)  # noqa: S311 - made-up mistakes
    read = 0
    for _ in range(MUTANTS):
        text = mutant(chance)
        told = mistakes(text, baseline)
        read += told is None
        assert told != (), text
        for problem in told or ():
            assert re.match(r"p\.yaml:[1-9]\d*:[1-9]\d*: .", str(problem)), text
    assert MUTANTS / 50 < read < MUTANTS / 2, "neither harmless nor hopeless"
