from pathlib import Path

import pytest
import yaml

from tests.cli.running import keyvigil, sandbox

pytestmark = pytest.mark.slow


def test_what_ships_is_listed() -> None:
    ran = keyvigil("policies", "list")
    assert ran.code == 0
    rows = [line.split()[:2] for line in ran.out.splitlines()]
    assert ["baseline", "10"] in rows
    assert ["strict", "12"] in rows


def test_a_policy_is_shown_as_it_is_written() -> None:
    written = (Path(__file__).parents[2] / "policies" / "baseline.yaml").read_text()
    assert keyvigil("policies", "show", "baseline").out == written


def test_a_right_policy_is_valid_without_any_credentials(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(keyvigil("policies", "show", "baseline").out.replace("baseline", "mine"))
    ran = keyvigil("policies", "validate", policy)
    assert (ran.code, ran.out, ran.err) == (0, "mine: valid, 10 rules\n", "")


def test_mistakes_in_several_files_are_all_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("policy: x\n")
    ran = keyvigil("policies", "validate", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        f"{tmp_path}/a.yaml:1:1: the policy lacks 'rules'",
        f"{tmp_path}/b.yaml:1:1: the policy lacks 'rules'",
        "error: 2 mistakes in the policy; nothing was done.",
    ]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("age", "Time since creation."),
        ("over", "The value is larger; equal is not enough."),
        ("any", "At least one condition of the list holds."),
        ("key-unused", "used is yes and idle over 45d"),
        ("owner-left-org", "written in     policies/offboarding.yaml:5"),
    ],
)
def test_facts_operators_and_rules_explain_themselves(word: str, told: str) -> None:
    ran = keyvigil("policies", "explain", word)
    assert (ran.code, ran.err) == (0, "")
    assert told in ran.out


def test_a_word_that_is_none_is_told_with_the_nearest() -> None:
    ran = keyvigil("policies", "explain", "key-unsued")
    assert ran.code == 2
    assert "There is no fact, operator or rule 'key-unsued'; did you mean 'key-unused'?" in ran.err


def test_what_ships_comes_out_as_its_examples_say() -> None:
    ran = keyvigil("policies", "test", "baseline")
    assert (ran.code, ran.out, ran.err) == (0, "baseline: 27 examples as expected\n", "")


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
    assert (ran.code, ran.out) == (0, "a: valid, 10 rules\nb: valid, 10 rules\n")


def test_the_hook_for_pre_commit_runs_a_command_that_there_is() -> None:
    (hook,) = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
    program, *command = hook["entry"].split()
    assert (program, hook["language"]) == ("keyvigil", "python")
    assert keyvigil(*command, Path(__file__).parents[2] / "policies" / "strict.yaml").code == 0


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
    assert ran.out.endswith(" findings would come out otherwise.\n")
    same = keyvigil("policies", "diff", "baseline", "baseline", "--on", snapshot)
    assert same.out == "0 findings would come out otherwise.\n"
