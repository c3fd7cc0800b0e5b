"""Every mistake with its line and column, all of them together, and no other error."""

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
from tests.support.prose import Prose

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


def test_all_mistakes_are_reported_together_each_at_its_place(prose: Prose) -> None:
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
    prose("\n".join(mistakes(text)))


@pytest.mark.parametrize(
    "when",
    [
        "{ age: 90d }",
        "{ age: { over: -1d } }",
        "{ age: { over: 3m } }",
        "{ key.name: prod-* }",
        "{ key.name: [prod-*] }",
        "{ owner: { state: left_org } }",
        '{ used: "false" }',
        "{ age: { over: yes } }",
        "{ age: { over: 0d } }",
        "{ age: { over: [90d] } }",
        "{ age: {} }",
        "{ age: { like: 9* } }",
        "{ used: 1 }",
        "{ used: { known: maybe } }",
        "{ owner.keys: { over: 010 } }",
        "{ owner.keys: { over: 1:30 } }",
        "{ owner.keys: { over: 1.5 } }",
        "{ key.name: no }",
        "{ key.name: 12 }",
        "{ key.name: }",
        "{ key.name: { one_of: a } }",
        "{ key.name: [] }",
        "{ key.name: { matches: 'prod-(' } }",
        "{ any: { used: true } }",
        "{ any: [] }",
        "[ { used: true } ]",
        "used",
        "{ keys.id: x }",
    ],
)
def test_a_condition_that_does_not_fit_its_fact_is_rejected(when: str, prose: Prose) -> None:
    (found,) = condition_mistakes(when)
    prose(found)


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
        ("", "p.yaml:1:1: "),
        ("# nothing\n", "p.yaml:1:1: "),
        ("- a\n", "p.yaml:1:1: "),
        ("policy: a\nrules: []\n", "p.yaml:2:8: "),
        ("policy: a\nrules: {}\n", "p.yaml:2:8: "),
        ("policy: a\nrules: [x]\n", "p.yaml:2:9: "),
        ("policy: a\npolicy: b\n", "p.yaml:2:1: "),
        ("? [a]\n: b\n", "p.yaml:1:3: "),
        ("policy: [a\n", "p.yaml:2:1: "),
        ("policy:\ta\n\tb: c\n", "p.yaml:2:1: "),
        ("policy: a\x00b", "p.yaml:1:10: "),
        ("a: b\n---\nc: d\n", "p.yaml:2:1: "),
        ("policy: *x\n", "p.yaml:1:9: "),
        ("policy: !!python/object/apply:os.system [x]\n", "p.yaml:1:1: "),
        ("[" * 40, "p.yaml:1:34: "),
        (
            f"a: &a {'[' * 30}{']' * 30}\nb: [[[*a]]]\n",
            "p.yaml:2:7: ",
        ),
        ("a: &a [*a]\n", "p.yaml:1:8: "),
        ("a: &a [1]\nb: &a [2]\n", "p.yaml:2:4: "),
        pytest.param("#" * 1_000_001, "p.yaml:1:1: ", id="large"),
    ],
)
def test_a_file_that_is_not_a_policy_is_rejected_with_the_place(
    text: str, mistake: str, prose: Prose
) -> None:
    found = mistakes(text)
    assert any(one.startswith(mistake) for one in found)
    prose("\n".join(found))


def test_a_duplicate_key_hides_no_other_mistake(prose: Prose) -> None:
    prose("\n".join(mistakes("policy: a\npolicy: b\nrulse: []\n")))


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
    assert "100,000" in mistakes("l0: &l0 [x]\n" + "\n".join(levels))[0]


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
