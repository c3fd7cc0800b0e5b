"""Which conditions no key can meet: none is called so that some key meets."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scanner.inventory import Unknown
from scanner.policy.columns import Given
from scanner.policy.conditions import AllOf, AnyOf, Condition, Leaf, Not
from scanner.policy.document import read_document
from scanner.policy.doubts import impossible_rules
from scanner.policy.feasible import can_hold
from scanner.policy.operators import GLOB, MANY, Operator, operators_of
from scanner.policy.parse import parse_policy
from scanner.policy.parse_condition import parse_condition
from scanner.policy.problems import Problems
from scanner.policy.registry import FACTS, Fact, FactType, Value

TEXTS = ("prod-a", "prod-b", "dev-a", "a")
PATTERNS = ("prod-*", "dev-*", "*-a", "*", "prod-a", "[pd]*")
HOURS = (0, 1, 23, 24, 25, 48)


def condition(text: str) -> Condition:
    problems = Problems("p.yaml")
    parsed = parse_condition(read_document(text, "p.yaml")[0], problems)
    problems.raise_if_any()
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    "texts",
    [
        ["{ age: { over: 10d, under: 5d } }"],
        ["{ age: { over: 10d, under: 10d } }"],
        ["{ age: { at_least: 10d, under: 10d } }"],
        ["{ not: { age: { over: 5d } }, age: { over: 6d } }"],
        ["{ owner.keys: { over: 5, under: 6 } }"],
        ["{ owner.keys: { under: 0 } }"],
        ["{ owner.keys: 3 }", "{ owner.keys: { over: 3 } }"],
        ["{ used: true }", "{ used: false }"],
        ["{ used: true }", "{ not: { used: true } }"],
        ["{ used: { known: false } }", "{ used: true }"],
        ["{ used: { known: true } }", "{ used: { known: false } }"],
        ["{ key.kind: admin }", "{ key.kind: project }"],
        ["{ key.kind: admin }", "{ project.name: x }"],
        ["{ key.kind: admin }", "{ project.age: { over: 1d } }"],
        ["{ key.kind: admin }", "{ owner.project_keys: { known: true } }"],
        ["{ expires: false }", "{ expires_in: { under: 7d } }"],
        ["{ expires: true }", "{ not: { expires: true } }"],
        ["{ owner.kind: user }", "{ owner.state: service_account_missing }"],
        ["{ owner.kind: service_account }", "{ owner.email: { like: '*@example.com' } }"],
        ["{ owner.state: [active, disabled] }", "{ owner.state: left_org }"],
        ["{ idle: { over: 90d } }", "{ age: { under: 30d } }"],
        ["{ owner.keys: { under: 3 }, owner.project_keys: { over: 5 } }"],
        ["{ project.name: a }", "{ project.name: b }"],
        ["{ project.name: a }", "{ project.name: { not: a } }"],
        ["{ project.name: a }", "{ project.name: { like: 'b*' } }"],
        ["{ project.name: a }", "{ project.name: { matches: '^b' } }"],
        ["{ project.name: { like: 'dev-*' } }", "{ project.name: { like: 'prod-*' } }"],
        ["{ project.name: { like: '*-dev' } }", "{ project.name: { like: '*-prod' } }"],
        ["{ project.name: { like: 'dev-*' } }", "{ project.name: { unlike: 'dev-*' } }"],
        ["{ project.name: { known: true, unlike: '*' } }"],
        ["{ any: [{ used: true }, { age: { over: 9d } }] }", "{ used: false, age: { under: 9d } }"],
        ["{ not: { any: [{ used: true }, { used: false }, { used: { known: false } }] } }"],
    ],
)
def test_a_contradiction_is_found(texts: list[str]) -> None:
    assert not can_hold([condition(text) for text in texts])


@pytest.mark.parametrize(
    "texts",
    [
        ["{ age: { over: 10d, under: 11d } }"],
        ["{ age: { over: 10d, at_most: 10d 1h } }"],
        ["{ usage.cost_usd: { over: 5, under: 6 } }"],
        ["{ usage.cost_usd: { known: true } }", "{ age: { known: true } }"],
        ["{ used: { known: false } }", "{ not: { used: { known: true } } }"],
        ["{ key.kind: admin }", "{ project.name: { not: x } }"],
        ["{ key.kind: { not: project } }", "{ project.name: x }"],
        ["{ expires: false }", "{ not: { expires_in: { under: 7d } } }"],
        ["{ owner.state: { known: false } }", "{ owner.state: { none_of: [left_org] } }"],
        ["{ idle: { over: 90d } }", "{ age: { under: 91d } }"],
        ["{ idle: { over: 90d } }", "{ age: { over: 10d } }"],
        ["{ project.name: { like: 'dev-*' } }", "{ project.name: { like: '*-prod' } }"],
        ["{ project.name: { like: 'dev*' } }", "{ project.name: { unlike: 'dev-*' } }"],
        ["{ project.name: { matches: '^a' } }", "{ project.name: { matches: '^b' } }"],
        ["{ project.name: { unlike: '*' } }"],
        ["{ any: [{ used: true }, { age: { over: 9d } }] }", "{ used: false }"],
    ],
)
def test_what_a_key_can_meet_or_what_cannot_be_decided_is_let_pass(texts: list[str]) -> None:
    assert can_hold([condition(text) for text in texts])


def test_a_condition_with_too_many_branches_is_not_decided() -> None:
    pair = AnyOf(parts=(condition("{ used: true }"), condition("{ expires: true }")))
    never = [condition("{ age: { over: 10d, under: 5d } }")]
    assert can_hold([*[pair] * 12, *never])
    assert not can_hold([*[pair] * 3, *never])


def limits(fact: Fact, op: Operator) -> st.SearchStrategy[Any]:
    one = values(fact, op)
    return st.lists(one, min_size=1, max_size=2).map(tuple) if op in MANY else one


def values(fact: Fact, op: Operator) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each type
    if op is Operator.KNOWN:
        return st.booleans()
    match fact.type:
        case FactType.BOOLEAN:
            return st.booleans()
        case FactType.CHOICE:
            return st.sampled_from(fact.choices)
        case FactType.DURATION:
            return st.sampled_from(HOURS).map(lambda hours: timedelta(hours=hours))
        case FactType.NUMBER:
            return st.integers(0, 3)
        case FactType.TEXT:
            if op is Operator.MATCHES:
                return st.sampled_from(("^prod", "a$", "."))
            return st.sampled_from(PATTERNS if op in GLOB else TEXTS)


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    fact = FACTS[draw(st.sampled_from(NAMES))]
    op = draw(st.sampled_from(operators_of(fact.type)))
    return Leaf(fact=fact, operator=op, limit=draw(limits(fact, op)))


NAMES = ("key.kind", "age", "idle", "used", "expires", "expires_in", "owner.kind", "owner.state",
         "owner.keys", "owner.project_keys", "project.name", "project.keys")  # fmt: skip
CONDITIONS = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        inner.map(lambda part: Not(part=part)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AllOf(parts=tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(parts=tuple(parts))),
    ),
    max_leaves=6,
)


@st.composite
def keys(draw: st.DrawFn) -> Mapping[str, Value]:
    """The facts of a key that there can be."""
    facts: dict[str, Any] = {}
    for name in NAMES:
        fact = FACTS[name]
        facts[name] = draw(limits(fact, Operator.IS))
    facts["idle"] = min(facts["idle"], facts["age"])
    facts["owner.project_keys"] = min(facts["owner.project_keys"], facts["owner.keys"])
    if facts["key.kind"] == "admin":
        facts |= dict.fromkeys(("project.name", "project.keys", "owner.project_keys"))
    if not facts["expires"]:
        facts["expires_in"] = None
    never = "service_account_missing" if facts["owner.kind"] == "user" else "left_org"
    assume(facts["owner.state"] != never)
    for name in draw(st.sets(st.sampled_from(NAMES), max_size=3)):
        possible = frozenset[str]()
        if name == "owner.state":
            possible = draw(st.sampled_from([frozenset(), frozenset({facts[name], "active"})]))
        facts[name] = Unknown(reason="not seen", possible=possible)
    return facts


@settings(max_examples=100)
@given(CONDITIONS, st.lists(keys(), min_size=3, max_size=6))
def test_what_some_key_meets_is_never_called_impossible(
    tested: Condition, facts: list[Mapping[str, Value]]
) -> None:
    if any(tested.decide(Given(one)).true for one in facts):
        assert can_hold([tested]), str(tested)


def test_a_rule_for_live_keys_that_reads_how_long_they_have_expired_matches_none() -> None:
    text = """\
policy: mine
rules:
  - id: dead
    {applies_to}
    title: t
    severity: low
    violated_when: {{ expired_for: {{ over: 5d }} }}
    why: w
    fix: f
"""

    def found(applies_to: str) -> list[str]:
        policy = parse_policy(text.format(applies_to=applies_to), "p.yaml")
        return [problem.message for problem in impossible_rules(policy)]

    assert len(found("controls: [a:b]")) == 1
    assert found("applies_to: { key.state: expired }") == []
