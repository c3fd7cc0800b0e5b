"""Policies that build on others: taken over, changed by id, disabled with a reason."""

from pathlib import Path

import pytest

from scanner.errors import PolicyError, UsageError
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.severity import Severity

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


def test_a_disabled_rule_stays_so_for_who_builds_on_it_until_it_is_written_anew(
    base: Path,
) -> None:
    (base / "less.yaml").write_text(
        "policy: less\nextends: base.yaml\nrules: [{ id: unused, disabled: true, reason: r }]\n"
    )
    assert read(base, "policy: mine\nextends: less.yaml\n").disabled == {"unused": "r"}
    anew = read(
        base,
        "policy: mine\nextends: less.yaml\nrules:\n  - { id: unused, title: t, severity: low,"
        " violated_when: { used: false }, why: w, fix: f }\n",
    )
    assert [rule.text.id for rule in anew.rules] == ["old", "unused"]
    assert anew.disabled == {}


@pytest.mark.parametrize(
    ("rest", "mistake"),
    [
        ("extends: nothing\n", "mine.yaml:2:10: There is no policy 'nothing'"),
        ("extends: [base.yaml, base.yaml]\n", "mine.yaml:2:10: two of the extended policies have"),
        (
            "extends: base.yaml\nrules: [{ id: old, disabled: true }]\n",
            "mine.yaml:3:9: rule 'old': a disabled rule lacks 'reason'",
        ),
        (
            "extends: base.yaml\nrules: [{ id: old, disabled: no, reason: r }]\n",
            "mine.yaml:3:30: rule 'old': write disabled: true with a reason, or neither",
        ),
        (
            "extends: base.yaml\nrules: [{ id: old, disabled: true, reason: r, fix: f }]\n",
            "mine.yaml:3:52: rule 'old': 'fix' says nothing of a rule that is disabled",
        ),
        (
            "extends: base.yaml\nrules: [{ id: odl, severity: low }]\n",
            "mine.yaml:3:15: no extended policy has a rule 'odl'; did you mean 'old'?",
        ),
        (
            "extends: base.yaml\nrules: [{ id: old, severity: lwo }]\n",
            "mine.yaml:3:30: rule 'old': 'severity' is never 'lwo'; did you mean 'low'?",
        ),
        ("extends: mine.yaml\n", "mine.yaml:2:10: "),
        ("description: d\n", "mine.yaml:1:1: the policy lacks 'rules'"),
    ],
)
def test_what_cannot_be_extended_or_overridden_is_told(base: Path, rest: str, mistake: str) -> None:
    assert mistakes(base, f"policy: mine\n{rest}")[0].startswith(mistake)


def test_the_mistakes_of_an_extended_file_are_told_at_their_own_place(base: Path) -> None:
    (base / "base.yaml").write_text("policy: base\nrulse: []\n")
    told = mistakes(base, "policy: mine\nextends: base.yaml\n")
    assert "base.yaml:2:1: unknown key 'rulse' in the policy; did you mean 'rules'?" in told


def test_what_two_policies_have_alike_is_one_rule_and_what_they_do_not_is_refused(
    base: Path,
) -> None:
    mine = base / "mine.yaml"
    mine.write_text("policy: mine\nextends: base.yaml\nrules: [{ id: old, severity: low }]\n")
    with pytest.raises(UsageError, match="The rule 'old' says one thing in policy 'mine'"):
        load_policies([str(mine), str(base / "base.yaml")])
    mine.write_text("policy: mine\nextends: base.yaml\n")
    policies = load_policies([str(base / "base.yaml"), str(mine)])
    assert [[rule.text.id for rule in policy.rules] for policy in policies] == [
        ["old", "unused"],
        [],
    ]
