import re
from pathlib import Path

import pytest
import yaml

from tests.cli.running import keyvigil, sandbox
from tests.support.prose import Prose

pytestmark = pytest.mark.slow


def test_what_ships_is_listed() -> None:
    ran = keyvigil("policies", "list")
    assert ran.code == 0
    rows = [line.split()[:2] for line in ran.out.splitlines()]
    assert ["baseline", "11"] in rows
    assert ["strict", "13"] in rows


def test_a_policy_is_shown_as_it_is_written() -> None:
    written = (Path(__file__).parents[2] / "policies" / "baseline.yaml").read_text()
    assert keyvigil("policies", "show", "baseline").out == written


def test_a_right_policy_is_valid_without_any_credentials(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(keyvigil("policies", "show", "baseline").out.replace("baseline", "mine"))
    ran = keyvigil("policies", "validate", policy)
    assert (ran.code, ran.out, ran.err) == (0, "mine: valid, 11 rules\n", "")


def test_mistakes_in_several_files_are_all_printed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("policy: x\n")
    ran = keyvigil("policies", "validate", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert ran.code == 2
    *mistakes, total = ran.err.splitlines()
    for name, mistake in zip("ab", mistakes, strict=True):
        assert mistake.startswith(f"{tmp_path}/{name}.yaml:1:1: ")
        assert "'rules'" in mistake
    assert total.startswith("error: 2 mistakes ")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("age", "Time since creation."),
        ("over", "The value is larger than the limit, not equal."),
        ("any", "At least one condition in the list is true."),
        ("key-unused", "used is yes and idle over 45d"),
        ("owner-left-org", "policies/offboarding.yaml:5"),
    ],
)
def test_facts_operators_and_rules_explain_themselves(word: str, told: str) -> None:
    ran = keyvigil("policies", "explain", word)
    assert (ran.code, ran.err) == (0, "")
    assert told in ran.out


def test_an_unknown_word_is_rejected_with_the_nearest() -> None:
    ran = keyvigil("policies", "explain", "key-unsued")
    assert ran.code == 2
    assert "'key-unsued'; did you mean 'key-unused'?" in ran.err


def test_the_examples_of_the_shipped_policy_pass(prose: Prose) -> None:
    ran = keyvigil("policies", "test", "baseline")
    assert (ran.code, ran.err) == (0, "")
    prose(ran.out)


def test_the_schema_is_printed() -> None:
    ran = keyvigil("policies", "schema")
    assert ran.out == (Path(__file__).parents[2] / "docs" / "policy.schema.json").read_text()


def test_files_are_checked_each_by_itself(tmp_path: Path) -> None:
    for name, severity in (("a", "low"), ("b", "high")):
        (tmp_path / f"{name}.yaml").write_text(
            f"policy: {name}\nextends: baseline\n"
            f"rules: [{{ id: key-unused, severity: {severity} }}]\n"
        )
    ran = keyvigil("policies", "validate", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert (ran.code, ran.out) == (0, "a: valid, 11 rules\nb: valid, 11 rules\n")


def test_all_mistakes_of_all_files_are_reported_and_exit_2(tmp_path: Path) -> None:
    rule = "{ id: a, title: t, severity: low, violated_when: { %s }, why: w, fix: f%s }"
    texts = {
        "a": rule % ("age: { over: 10d, under: 5d }", ""),
        "b": rule
        % ("used: true", ", examples: { violating: [{ used: false }] }")
        + "\nexceptions:\n- { rule: a, when: { used: true }, reason: r, owner: o,"
        " expires: 2026-01-31 }",
        "c": rule % ("used: true", ""),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(f"policy: {name}\nrules:\n- {text}\n")
    files = [tmp_path / f"{name}.yaml" for name in texts]
    for command, expected in (("test", 3), ("validate", 2)):
        ran = keyvigil("policies", command, *files)
        assert ran.code == 2
        assert sum(line.startswith(str(tmp_path)) for line in ran.err.splitlines()) == expected
        assert f"{expected} mistakes" in ran.err


def test_the_hook_for_pre_commit_checks_policies_of_keyvigil_and_nothing_else(
    tmp_path: Path,
) -> None:
    """By its pattern, which pre-commit searches for in each path, and by what the files hold."""
    (hook,) = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
    program, *command = hook["entry"].split()
    assert (program, hook["language"], hook["types"]) == ("keyvigil", "python", ["yaml"])
    for path in (
        "keyvigil/policies/a.yaml",
        "ops/.keyvigil/policies/b/c.yml",
        "keyvigil-policies/a.yaml",
    ):
        assert re.search(hook["files"], path)
    for path in (
        *("policies/kyverno.yaml", "k8s/policies/network.yaml", "keyvigil.yaml", "policy.yaml"),
        *("charts/keyvigil/values.yaml", "my-keyvigil-notes/policies/a.yaml", ".github/w.yml"),
    ):
        assert not re.search(hook["files"], path)
    ours = Path(__file__).parents[2] / "policies" / "strict.yaml"
    other = tmp_path / "kyverno.yaml"
    other.write_text("apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n")
    settings = tmp_path / "keyvigil.yaml"
    settings.write_text("policies: [baseline]\n")
    assert keyvigil(*command, other, settings).code == 0
    assert "strict: " in keyvigil(*command, other, settings, ours).out
    other.write_text("policy: mine\n")
    assert keyvigil(*command, other, ours).code == 2


BUSY = """\
policy: busy
rules:
  - { id: busy, title: t, severity: low, violated_when: { usage.requests: 9 }, why: w, fix: f }
"""


def test_a_policy_is_tried_on_a_snapshot_and_held_against_another(tmp_path: Path) -> None:
    snapshot = tmp_path / "night.json.gz"
    with sandbox("--projects", "2", "--keys-per-project", "5") as settings:
        assert keyvigil("scan", "--snapshot", snapshot, env=settings).code == 0
    ran = keyvigil("policies", "validate", "strict", "--against", snapshot)
    assert (ran.code, ran.err) == (0, "")
    (row,) = (line for line in ran.out.splitlines() if "key-without-expiry" in line)
    applied, violated, excepted, undetermined = map(int, row.split()[2:])
    assert (applied, excepted, undetermined) == (15, 0, 0)
    ran = keyvigil("policies", "diff", "baseline", "strict", "--on", snapshot)
    assert ran.out.count("low -> high  ") == violated
    *rows, total = ran.out.splitlines()
    assert total.startswith(f"{len(rows)} findings ")
    same = keyvigil("policies", "diff", "baseline", "baseline", "--on", snapshot)
    assert same.out.startswith("0 findings ")
    busy = tmp_path / "busy.yaml"
    busy.write_text(BUSY)
    for ran in (
        keyvigil("policies", "validate", busy, "--against", snapshot),
        keyvigil("policies", "diff", "baseline", busy, "--on", snapshot),
        keyvigil("scan", "--from", snapshot, "--policy", busy),
    ):
        assert ran.code == 3
        assert "usage unavailable" in ran.out + ran.err
