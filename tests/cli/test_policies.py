from pathlib import Path

import pytest

from tests.cli.running import keyvigil

pytestmark = pytest.mark.slow


def test_what_ships_is_listed() -> None:
    ran = keyvigil("policies", "list")
    assert ran.code == 0
    assert ran.out.splitlines()[1].split()[:2] == ["baseline", "10"]


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
