"""Policies that extend others: rules inherited, changed by id, disabled with a reason."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import PolicyError, UsageError
from scanner.policy.merge import differing
from scanner.policy.model import Policy, Rule
from scanner.policy_files import load_policies, read_policies, shipped_policies
from scanner.severity import Severity
from tests.support.prose import Prose

RULES = """
  - { id: old, title: t, severity: high, severity_when: { critical: { age: { over: 365d } } },
      violated_when: { age: { over: 90d } }, why: w, fix: f,
      examples: { violating: [{ age: 91d }] } }
  - { id: unused, title: t, severity: low, violated_when: { used: false }, why: w, fix: f }
exceptions:
  - { rule: old, when: { key.id: a }, reason: r, owner: o, expires: 2030-01-01 }
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(f"policy: base\nrules:{RULES}")
    return tmp_path


def read(folder: Path, text: str) -> Policy:
    (folder / "mine.yaml").write_text(text)
    (policy,) = load_policies([str(folder / "mine.yaml")])
    return policy


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_policy_takes_over_rules_and_exceptions_as_its_own(base: Path) -> None:
    policy = read(base, "policy: mine\nextends: base.yaml\n")
    assert [(rule.text.id, rule.text.policy) for rule in policy.rules] == [
        ("old", "mine"),
        ("unused", "mine"),
    ]
    assert [e.text.rules for e in policy.exemptions] == [("old",)]


def test_an_override_changes_what_it_names_and_keeps_the_rest(base: Path) -> None:
    policy = read(
        base,
        "policy: mine\nextends: [base.yaml]\nrules:\n"
        "  - { id: old, severity: medium, violated_when: { age: { over: 60d } } }\n",
    )
    rule = policy.rules[0]
    assert (rule.text.severity, str(rule.violated_when)) == (Severity.MEDIUM, "age over 60d")
    assert [step.severity for step in rule.steps] == [Severity.CRITICAL]
    assert rule.text.why == "w"
    assert rule.examples == (), "they were written for another limit"
    places = [(Path(rule.text.file).name, rule.text.line) for rule in policy.rules]
    assert places == [("mine.yaml", 4), ("base.yaml", 6)]


def test_a_rule_is_disabled_for_a_reason(base: Path) -> None:
    policy = read(
        base,
        "policy: mine\nextends: base.yaml\nrules:\n"
        "  - { id: unused, disabled: true, reason: Ours are made in advance }\n"
        "  - { id: new, title: t, severity: low, violated_when: { used: true }, why: w, fix: f }\n",
    )
    assert [rule.text.id for rule in policy.rules] == ["old", "new"]
    assert policy.disabled == {"unused": "Ours are made in advance"}


def test_a_disabled_rule_stays_disabled_in_extending_policies_until_it_is_defined_again(
    base: Path,
) -> None:
    (base / "less.yaml").write_text(
        "policy: less\nextends: base.yaml\nrules: [{ id: unused, disabled: true, reason: r }]\n"
    )
    assert read(base, "policy: mine\nextends: less.yaml\n").disabled == {"unused": "r"}
    again = read(
        base,
        "policy: mine\nextends: less.yaml\nrules:\n  - { id: unused, title: t, severity: low,"
        " violated_when: { used: false }, why: w, fix: f }\n",
    )
    assert [rule.text.id for rule in again.rules] == ["old", "unused"]
    assert again.disabled == {}


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("extends: nothing\n", "mine.yaml:2:10: "),
        ("extends: []\n", "mine.yaml:2:10: "),
        (
            "extends: base.yaml\nrules: [{ id: old, disabled: true }]\n",
            "mine.yaml:3:9: ",
        ),
        (
            "extends: base.yaml\nrules: [{ id: old, disabled: no, reason: r }]\n",
            "mine.yaml:3:30: ",
        ),
        (
            "extends: base.yaml\nrules: [{ id: old, disabled: true, reason: r, fix: f }]\n",
            "mine.yaml:3:52: ",
        ),
        (
            "extends: base.yaml\nrules: [{ id: odl, severity: low }]\n",
            "mine.yaml:3:15: ",
        ),
        (
            "extends: base.yaml\nrules: [{ id: old, severity: lwo }]\n",
            "mine.yaml:3:30: ",
        ),
        ("extends: mine.yaml\n", "mine.yaml:2:10: "),
        ("description: d\n", "mine.yaml:1:1: "),
    ],
)
def test_an_invalid_extends_or_override_is_reported(
    base: Path, rest: str, place: str, prose: Prose
) -> None:
    first, *_ = mistakes(base, f"policy: mine\n{rest}")
    assert first.startswith(place)
    prose(first)


def test_the_mistakes_of_an_extended_file_are_told_at_their_own_place(base: Path) -> None:
    (base / "base.yaml").write_text("policy: base\nrulse: []\n")
    told = mistakes(base, "policy: mine\nextends: base.yaml\n")
    assert "base.yaml:2:1: unknown key 'rulse' in the policy; did you mean 'rules'?" in told


def test_what_two_policies_have_alike_is_one_rule_and_what_they_do_not_is_refused(
    base: Path,
) -> None:
    mine = base / "mine.yaml"
    mine.write_text("policy: mine\nextends: base.yaml\nrules: [{ id: old, severity: low }]\n")
    with pytest.raises(UsageError, match="define the rule 'old' differently: severity"):
        load_policies([str(mine), str(base / "base.yaml")])
    mine.write_text("policy: mine\nextends: base.yaml\n")
    policies = load_policies([str(base / "base.yaml"), str(mine)])
    assert [[rule.text.id for rule in policy.rules] for policy in policies] == [
        ["old", "unused"],
        [],
    ]


VARIANT = """policy: {name}
rules:
  - {{ id: old, title: {title}, severity: {severity}, violated_when: {{ age: {{ over: {days}d }} }},
      why: w, fix: f, controls: [{control}] }}
"""


def variant(folder: Path, name: str, severity: str = "high", days: int = 90) -> None:
    text = VARIANT.format(
        name=name, title=f"of {name}", severity=severity, days=days, control=f"{name}:1"
    )
    (folder / f"{name}.yaml").write_text(text)


def test_definitions_that_differ_in_texts_and_controls_only_are_one_rule(base: Path) -> None:
    for name in ("a", "b", "c"):
        variant(base, name)
    extended = read(base, "policy: mine\nextends: [a.yaml, b.yaml, c.yaml, b.yaml]\n")
    files = [str(base / f"{name}.yaml") for name in ("a", "b", "c", "b")]
    named = load_policies(files)
    for policy in (extended, named[0]):
        (rule,) = policy.rules
        assert (rule.text.title, rule.text.controls) == ("of a", ("a:1", "b:1", "c:1"))
    assert [rule.text.policy for rule in extended.rules] == ["mine"]
    assert [len(policy.rules) for policy in named] == [1, 0, 0]


@pytest.mark.parametrize(
    ("changed", "field"), [({"severity": "low"}, "severity"), ({"days": 60}, "violated_when")]
)
def test_definitions_that_decide_differently_are_a_mistake_that_names_both(
    base: Path, changed: dict[str, Any], field: str
) -> None:
    variant(base, "a")
    variant(base, "b", **changed)
    (mistake,) = mistakes(base, "policy: mine\nextends: [a.yaml, b.yaml]\n")
    assert mistake.startswith("mine.yaml:2:10: ")
    with pytest.raises(UsageError) as caught:
        load_policies([str(base / "a.yaml"), str(base / "b.yaml")])
    for told in (mistake, f"{caught.value} {caught.value.help}"):
        assert all(word in told for word in ("'a'", "'b'", "'old'", f"'{field}'"))


@pytest.mark.parametrize(
    "rule",
    ["severity: low", "severity: low, violated_when: { used: true }", "disabled: true, reason: r"],
)
def test_a_policy_can_decide_between_the_definitions_that_it_takes_over(
    base: Path, rule: str
) -> None:
    variant(base, "a", severity="low")
    variant(base, "b", severity="medium")
    text = f"policy: mine\nextends: [a.yaml, b.yaml]\nrules: [{{ id: old, {rule} }}]\n"
    assert len(read(base, text).rules) == (0 if "disabled" in rule else 1)


def test_a_base_that_is_reached_in_several_ways_is_taken_over_once(base: Path) -> None:
    (base / "sub").mkdir()
    (base / "sub" / "less.yaml").write_text("policy: less\nextends: ../base.yaml\n")
    (base / "more.yaml").write_text("policy: more\nextends: [base.yaml, ./sub/less.yaml]\n")
    policy = read(base, "policy: mine\nextends: [sub/less.yaml, more.yaml, ./base.yaml]\n")
    assert [rule.text.id for rule in policy.rules] == ["old", "unused"]
    assert len(policy.exemptions) == 1
    files = [str(base / "base.yaml"), str(base / "sub" / "less.yaml"), f"{base}/sub/../base.yaml"]
    assert sum(len(one.exemptions) for one in load_policies(files)) == 1


def test_a_circle_by_another_path_and_a_chain_without_end_are_refused(base: Path) -> None:
    (base / "sub").mkdir()
    assert "extends itself" in mistakes(base, "policy: mine\nextends: sub/../mine.yaml\n")[0]
    for number in range(60):
        (base / f"c{number}.yaml").write_text(f"policy: c\nextends: c{number + 1}.yaml\n")
    assert " 32 " in mistakes(base, "policy: mine\nextends: c0.yaml\n")[0]


@pytest.mark.parametrize(
    "extends",
    ["extends: nothing", "extends: [base.yaml, nothing]", "extends: { a: b }", "extends: [1]",
     "extend: base.yaml", "extends: broken.yaml", "extends: base.yaml\nextends: nothing"],
)  # fmt: skip
def test_a_mistake_in_extends_brings_no_others(base: Path, extends: str) -> None:
    (base / "broken.yaml").write_text("policy: broken\nrules: [{ id: 3 }]\n")
    own = mistakes(base, f"policy: mine\n{extends}\n")
    more = (
        "rules:\n  - { id: key-too-old, severity: low }\n"
        "  - { id: gone, disabled: true, reason: r }\n"
        "exceptions:\n  - { rule: other, when: { used: true }, reason: r, owner: o,"
        " expires: 2030-01-01 }\n"
    )
    told = mistakes(base, f"policy: mine\n{extends}\n{more}")
    assert told == [one for one in own if "lacks 'rules'" not in one]
    lowered = more.replace("severity: low", "severity: lwo")
    more_told = mistakes(base, f"policy: mine\n{extends}\n{lowered}")
    assert any("'lwo'" in one for one in more_told), "other mistakes are still reported"


def shipped(count: int) -> list[tuple[str, ...]]:
    return list(combinations(shipped_policies(), count))


@pytest.mark.parametrize("names", [*shipped(2), *shipped(3)], ids="+".join)
def test_extends_and_policy_twice_accept_the_same_shipped_policies(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    """Where all define their rules to the same effect, each rule is there once."""
    own = [rule for policy in read_policies(names) for rule in policy.rules]
    firsts: dict[str, Rule] = {}
    is_same = not any(differing(firsts.setdefault(r.text.id, r), r) for r in own)
    text = f"policy: mine\nextends: [{', '.join(names)}]\n"
    if not is_same:
        assert mistakes(tmp_path, text)
        with pytest.raises(UsageError):
            load_policies(names)
        return
    extended = read(tmp_path, text)
    assert sorted(rule.text.id for rule in extended.rules) == sorted(firsts)
    named = {rule.text.id: rule for policy in load_policies(names) for rule in policy.rules}
    assert sorted(named) == sorted(firsts)
    for rule in extended.rules:
        assert not differing(rule, named[rule.text.id])
        assert rule.text.controls == named[rule.text.id].text.controls


def test_the_packs_that_only_number_the_baseline_go_together(tmp_path: Path) -> None:
    names = ("baseline", "offboarding", "iso-27001", "nist-800-53", "soc2")
    policy = read(tmp_path, f"policy: mine\nextends: [{', '.join(names)}]\n")
    (rule,) = (rule for rule in policy.rules if rule.text.id == "owner-left-org")
    frameworks = {control.partition(":")[0] for control in rule.text.controls}
    assert {"iso-27001", "nist-800-53", "soc2"} <= frameworks


@pytest.mark.parametrize(
    "content",
    ["password: hunter2\n", "hunter2\n", "- hunter2\n", "{ hunter2", "hunter2: &hunter2\n"],
)
def test_no_content_of_a_file_that_is_not_a_policy_is_shown(base: Path, content: str) -> None:
    (base / "secrets.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"secrets\.yaml is not a policy file") as caught:
        read(base, "extends: secrets.yaml")
    assert "hunter2" not in str(caught.value)
