"""The schema that editors use: it accepts what the parser accepts, and sees most mistakes."""

import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from scanner.errors import PolicyError
from scanner.policy.explain import example, explain_operator
from scanner.policy.facts import FACTS
from scanner.policy.operators import Operator, operators_of
from scanner.policy.parse import parse_policy
from scanner.policy.schema import policy_schema
from scanner.policy_files import policy_text, shipped_policies
from tests.conftest import ROOT, golden

VALIDATOR = Draft202012Validator(policy_schema())
DOCS = (ROOT / "docs" / "policies.md").read_text()
RULE = """
policy: mine
rules:
  - {{ id: r, title: t, severity: low, violated_when: {when}, why: w, fix: f{more} }}
"""


class EditorLoader(yaml.SafeLoader):
    """Reads a day as text, as editors do."""


EditorLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def complaints(text: str) -> list[str]:
    loaded: Any = yaml.load(text, Loader=EditorLoader)  # noqa: S506 - a safe loader
    return [error.message for error in VALIDATOR.iter_errors(loaded)]


def test_the_published_schema_is_the_schema() -> None:
    Draft202012Validator.check_schema(policy_schema())
    text = json.dumps(policy_schema(), indent=2) + "\n"
    golden(ROOT / "docs" / "policy.schema.json", text)


@pytest.mark.parametrize("name", shipped_policies())
def test_what_ships_keeps_the_schema_and_points_editors_to_it(name: str) -> None:
    text, _ = policy_text(name)
    assert complaints(text) == []
    assert text.startswith("# yaml-language-server: $schema=../docs/policy.schema.json\n")


def test_the_example_of_the_docs_is_a_policy() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    assert complaints(text) == []
    assert parse_policy(text, "p.yaml").exemptions


@pytest.mark.parametrize("fact", FACTS.values(), ids=lambda fact: fact.name)
def test_the_example_of_every_fact_is_a_condition(fact: Any) -> None:
    text = RULE.format(when=example(fact), more="")
    assert parse_policy(text, "p.yaml").rules
    assert complaints(text) == []


@pytest.mark.parametrize("op", Operator)
def test_the_example_of_every_operator_is_a_condition(op: Operator) -> None:
    text = RULE.format(when=dict(explain_operator(op))["example"], more="")
    assert parse_policy(text, "p.yaml").rules
    assert complaints(text) == []


def test_editors_complete_every_fact_and_its_operators() -> None:
    offered = policy_schema()["$defs"]["condition"]["properties"]
    assert set(offered) == {*FACTS, "all", "any", "not"}
    for name, fact in FACTS.items():
        assert offered[name]["description"] == fact.meaning
        assert set(offered[name]["anyOf"][0]["properties"]) == set(operators_of(fact.type))


@pytest.mark.parametrize(
    ("when", "more"),
    [
        ("{}", ""),
        ("{ aeg: { over: 90d } }", ""),
        ("{ age: { over: 90 } }", ""),
        ("{ age: { over: yes } }", ""),
        ("{ age: 90d }", ""),
        ("{ age: { like: 90d } }", ""),
        ("{ owner.state: left }", ""),
        ("{ owner.state: [] }", ""),
        ("{ used: maybe }", ""),
        ("{ owner.keys: { over: 1.5 } }", ""),
        ("{ any: [] }", ""),
        ("{ not: [] }", ""),
        ("{ used: true }", ", severity_when: { worse: { used: true } }"),
        ("{ used: true }", ", respond: { revoke: delete }"),
        ("{ used: true }", ", examples: { violating: [{ used: 1 }] }"),
        ("{ used: true }", ", controls: [NHI7]"),
        ("{ used: true }", ", sevrity: low"),
    ],
)
def test_what_the_schema_refuses_the_parser_refuses(when: str, more: str) -> None:
    text = RULE.format(when=when, more=more)
    assert complaints(text)
    with pytest.raises(PolicyError):
        parse_policy(text, "p.yaml")
