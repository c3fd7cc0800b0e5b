"""Every mistake at its line and column, all of them at once, nothing else ever raised."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import PolicyError
from scanner.policy.conditions import Leaf
from scanner.policy.parse import parse_policy
from scanner.policy_files import load_policies, shipped_policies

RULE = """
  - id: {id}
    title: A title
    severity: high
    violated_when: {when}
    why: Because.
    fix: Do it.
"""
BASELINE = (Path(__file__).parents[2] / "policies" / "baseline.yaml").read_text()


def mistakes(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


def condition_mistakes(when: str) -> list[str]:
    text = "policy: mine\nrules:" + RULE.format(id="r", when=when)
    return [re.sub(r"^p\.yaml:\d+:\d+: rule 'r': ", "", line) for line in mistakes(text)]


def test_all_mistakes_are_told_at_once_each_at_its_place() -> None:
    text = """\
policy: Mine Own
descriptoin: What it is for
rules:
  - id: old
    title: Old keys
    severity: hihg
    violated_when: { aeg: { over: 90d } }
    why: Because.
  - id: old
    title: yes
    severity: low
    violated_when:
      any:
        - { owner.state: left }
        - { age: { over: 90 } }
        - { age: { ovr: 90d } }
        - { used: yes }
        - not: {}
        - all: []
    why: Because.
    fix: Do it.
    controls: [NHI7]
"""
    assert mistakes(text) == [
        (
            "p.yaml:1:9: the policy's name is lower-case words joined by hyphens,"
            " which 'Mine Own' is not"
        ),
        "p.yaml:2:1: unknown key 'descriptoin' in the policy; did you mean 'description'?",
        "p.yaml:4:5: rule 'old': a rule lacks 'fix'",
        "p.yaml:6:15: rule 'old': 'severity' is never 'hihg'; did you mean 'high'?",
        "p.yaml:7:22: rule 'old': unknown fact 'aeg'; did you mean 'age'?",
        "p.yaml:9:9: rule 'old': the id stands twice, first on line 4",
        "p.yaml:10:12: rule 'old': 'title' must be text: YAML reads yes as bool; write \"yes\"",
        "p.yaml:14:26: rule 'old': 'owner.state' is never 'left'; did you mean 'left_org'?",
        (
            "p.yaml:15:26: rule 'old': 'age' is a duration in whole weeks, days or hours,"
            " which '90' is not; write 90d, 12h or 2w"
        ),
        "p.yaml:16:20: rule 'old': unknown operator 'ovr'; did you mean 'over'?",
        "p.yaml:17:19: rule 'old': 'used': write true or false instead of yes",
        "p.yaml:18:16: rule 'old': an empty condition would hold for every key; name a fact",
        "p.yaml:19:16: rule 'old': an empty 'all' decides nothing; list conditions or remove it",
        "p.yaml:22:16: rule 'old': 'NHI7' is not of the form framework:id, such as owasp-nhi:NHI7",
    ]


@pytest.mark.parametrize(
    ("when", "mistake"),
    [
        ("{ age: 90d }", "'age' needs an operator, such as { over: 90d }"),
        ("{ age: { over: -1d } }", "'age' is a duration in whole weeks, days or hours,"),
        ("{ age: { over: 3m } }", "'age' is a duration in whole weeks, days or hours, which '3m'"),
        ("{ key.name: prod-* }", "'is' takes '*' as it is; write { like: \"prod-*\" }"),
        ("{ key.name: [prod-*] }", "'one_of' takes '*' as it is; write { like: \"prod-*\" }"),
        ("{ owner: { state: left_org } }", "unknown fact 'owner'; write one of owner.created_by, "),
        ('{ used: "false" }', "'used' is true or false, without quotes"),
        (
            "{ age: { over: yes } }",
            "'age' is a duration in whole weeks, days or hours, which 'yes' is",
        ),
        ("{ age: { over: 0d } }", "'age: over 0d' would take every key or none"),
        ("{ age: { over: [90d] } }", "'age: over' takes a single value"),
        ("{ age: {} }", "'age' is held against nothing"),
        ("{ age: { like: 9* } }", "'age' is a duration, which 'like' does not fit;"),
        ("{ used: 1 }", "'used' is true or false"),
        ("{ used: { known: maybe } }", "'used: known' is true or false"),
        ("{ owner.keys: { over: 010 } }", "'owner.keys' is a whole number, which '010' is not"),
        ("{ owner.keys: { over: 1:30 } }", "'owner.keys' is a whole number, which '1:30' is not"),
        ("{ owner.keys: { over: 1.5 } }", "'owner.keys' is a whole number, which '1.5' is not"),
        ("{ key.name: no }", "'key.name' must be text: YAML reads no as bool; write \"no\""),
        ("{ key.name: 12 }", "'key.name' must be text: YAML reads 12 as int; write \"12\""),
        ("{ key.name: }", "'key.name' is compared with nothing; write { known: false }"),
        ("{ key.name: { one_of: a } }", "'one_of' takes a list of values"),
        ("{ key.name: [] }", "'one_of' takes a list of values"),
        (
            "{ key.name: { matches: 'prod-(' } }",
            "'prod-(' is no regular expression: missing ): prod-(",
        ),
        ("{ any: { used: true } }", "'any' takes a list of conditions"),
        ("{ any: [] }", "an empty 'any' decides nothing"),
        ("[ { used: true } ]", "a condition is a mapping of facts"),
        ("used", "a condition is a mapping of facts"),
        ("{ keys.id: x }", "unknown fact 'keys.id'; did you mean 'key.id'?"),
    ],
)
def test_a_condition_that_does_not_fit_its_fact_is_refused(when: str, mistake: str) -> None:
    (found,) = condition_mistakes(when)
    assert found.startswith(mistake)


@pytest.mark.parametrize(
    "when",
    [
        "{ age: { over: 90d, at_most: 400d } }",
        "{ owner.state: [left_org, disabled] }",
        "{ key.name: { like: 'prod-*', unlike: '*-test' } }",
        "{ not: { owner.email: { known: true } } }",
        "{ any: [ { used: false }, { all: [ { used: true }, { owner.keys: { over: 3 } } ] } ] }",
        "{ expires_in: { under: 0d } }",
        '{ key.name: "no" }',
        "{ key.name: { matches: '^prod-.*[0-9]$' } }",
    ],
)
def test_the_grammar(when: str) -> None:
    assert parse_policy("policy: mine\nrules:" + RULE.format(id="r", when=when), "p.yaml").rules


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "p.yaml:1:1: the file is empty"),
        ("# nothing\n", "p.yaml:1:1: the file is empty"),
        ("- a\n", "p.yaml:1:1: the policy must be a mapping with policy"),
        ("policy: a\nrules: []\n", "p.yaml:2:8: 'rules' takes a list with at least one rule in it"),
        ("policy: a\nrules: {}\n", "p.yaml:2:8: 'rules' takes a list with at least one rule in it"),
        ("policy: a\nrules: [x]\n", "p.yaml:2:9: a rule must be a mapping with id, title,"),
        ("policy: a\npolicy: b\n", "p.yaml:2:1: 'policy' stands twice, first on line 1"),
        ("? [a]\n: b\n", "p.yaml:1:3: a key must be plain text"),
        ("policy: [a\n", "p.yaml:2:1: not YAML: "),
        ("policy:\ta\n\tb: c\n", "p.yaml:2:1: not YAML: "),
        ("policy: a\x00b", "p.yaml:1:10: not YAML: "),
        ("a: b\n---\nc: d\n", "p.yaml:2:1: a file holds one document, and here a second begins"),
        ("policy: *x\n", "p.yaml:1:9: the alias '*x' names nothing that ends above"),
        ("policy: !!python/object/apply:os.system [x]\n", "p.yaml:1:1: the policy lacks 'rules'"),
        ("[" * 40, "p.yaml:1:34: nested more than 32 deep"),
        (
            f"a: &a {'[' * 30}{']' * 30}\nb: [[[*a]]]\n",
            "p.yaml:2:7: nested more than 32 deep",
        ),
        ("a: &a [*a]\n", "p.yaml:1:8: the alias '*a' names nothing that ends above"),
        ("a: &a [1]\nb: &a [2]\n", "p.yaml:2:4: the anchor '&a' stands twice"),
        ("#" * 1_000_001, "p.yaml:1:1: the file is larger than 1,000,000 characters"),
    ],
)
def test_what_is_not_a_policy_at_all_is_refused_with_its_place(text: str, mistake: str) -> None:
    assert any(one.startswith(mistake) for one in mistakes(text))


def test_a_key_that_stands_twice_hides_no_other_mistake() -> None:
    assert mistakes("policy: a\npolicy: b\nrulse: []\n") == [
        "p.yaml:1:1: the policy lacks 'rules'",
        "p.yaml:2:1: 'policy' stands twice, first on line 1",
        "p.yaml:3:1: unknown key 'rulse' in the policy; did you mean 'rules'?",
    ]


def test_text_to_compare_with_is_taken_as_written_and_prose_is_put_on_one_line() -> None:
    rule = RULE.format(id="r", when='{ key.name: "prod  key " }').replace(
        "Because.", "Because\n      of this."
    )
    (read,) = parse_policy("policy: mine\nrules:" + rule, "p.yaml").rules
    assert read.text.why == "Because of this."
    assert isinstance(read.violated_when, Leaf)
    assert read.violated_when.limit == "prod  key "


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert mistakes("l0: &l0 [x]\n" + "\n".join(levels))[0].endswith(
        "more than 100,000 values, aliases expanded"
    )


def test_what_ships_is_valid_and_every_rule_says_why_and_how_to_mend_it() -> None:
    for name in shipped_policies():
        (policy,) = load_policies([name])
        assert policy.description
        for rule in policy.rules:
            assert rule.text.title
            assert rule.text.why
            assert rule.text.fix
            assert rule.text.controls
            assert {example.is_violating for example in rule.examples} == {True, False}


@given(st.data())
def test_a_mutated_policy_is_read_or_refused_with_a_place(data: st.DataObject) -> None:
    text = BASELINE
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    with suppress(PolicyError):
        parse_policy(text, "p.yaml")
        return
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.yaml")
    assert caught.value.problems
    for problem in caught.value.problems:
        assert re.match(r"p\.yaml:[1-9]\d*:[1-9]\d*: .", str(problem))
