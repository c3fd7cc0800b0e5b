"""The plan of revocations through the real command: it tells, and changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.fake_slack.driving import TOKEN, Driven, stage
from tests.cli.running import Ran, keyvigil, sandbox

pytestmark = pytest.mark.slow

POLICY = """\
policy: mine
extends: [baseline]
rules:
  - id: key-never-used
    respond: { revoke: expire, after: 7d }
"""


@pytest.fixture(scope="module")
def organization() -> Iterator[dict[str, str]]:
    with sandbox("--projects", "3", "--keys-per-project", "9") as settings:
        yield settings


@pytest.fixture(scope="module")
def slack() -> Iterator[Driven]:
    with stage() as play:
        yield play()


@pytest.fixture
def own(organization: dict[str, str], tmp_path: Path) -> dict[str, str]:
    (tmp_path / "mine.yaml").write_text(POLICY)
    return {
        **organization,
        "KEYVIGIL_STORE": str(tmp_path / "history.db"),
        "KEYVIGIL_POLICY": "mine.yaml",
        "NO_PROXY": "127.0.0.1",
    }


def plan(own: dict[str, str], folder: Path, *more: str) -> Ran:
    return keyvigil("revoke", "plan", *more, env=own, cwd=folder)


def document(own: dict[str, str], folder: Path) -> dict[str, Any]:
    ran = plan(own, folder, "--json")
    assert ran.code == 0, ran.err
    read: dict[str, Any] = json.loads(ran.out)
    return read


def test_of_what_nobody_was_told_nothing_is_planned(own: dict[str, str], tmp_path: Path) -> None:
    assert keyvigil("scan", env=own, cwd=tmp_path).code == 0
    made = document(own, tmp_path)
    assert (made["due"], made["waiting"]) == ([], [])
    assert made["held"]
    assert all("nobody was told of the finding yet" in held["reasons"] for held in made["held"])
    shown = plan(own, tmp_path)
    assert "Let be: " in shown.out
    assert "Revocation is off" in shown.err


def test_what_was_told_waits_for_its_time(
    own: dict[str, str], tmp_path: Path, slack: Driven
) -> None:
    told = {
        **own,
        "KEYVIGIL_SLACK_TOKEN": TOKEN,
        "KEYVIGIL_SLACK_CHANNEL": "#alerts",
        "KEYVIGIL_SLACK_API_URL": slack.address.api_url,
    }
    (tmp_path / "keyvigil.yaml").write_text("revocation: { mode: plan }\n")
    assert keyvigil("scan", env=told, cwd=tmp_path).code == 0
    made = document(own, tmp_path)
    assert made["due"] == []
    assert {action["method"] for action in made["waiting"]} == {"expire"}
    shown = plan(own, tmp_path, "--output", "plan.json")
    assert "Waiting: " in shown.out
    assert shown.err.strip() == "Wrote plan.json"
    assert json.loads((tmp_path / "plan.json").read_text()) == made
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600


def test_a_mistake_in_the_bounds_is_told_at_its_place(own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "keyvigil.yaml").write_text("revocation:\n  mode: enforce\n  max_keys: many\n")
    ran = plan(own, tmp_path)
    assert ran.code == 2
    assert ran.err.splitlines()[:2] == [
        "keyvigil.yaml:2:9: 'mode' is never 'enforce'; known: off, plan",
        "keyvigil.yaml:3:13: 'max_keys' is a whole number of keys a day; 0 revokes none",
    ]


def test_without_a_rule_that_asks_there_is_nothing_to_say(
    own: dict[str, str], tmp_path: Path
) -> None:
    baseline = {**own, "KEYVIGIL_POLICY": "baseline"}
    assert keyvigil("scan", env=baseline, cwd=tmp_path).code == 0
    ran = plan(baseline, tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("No rule of the policy asks for a revocation")


def test_another_organizations_key_makes_no_admin_key_less_the_scans_own(
    own: dict[str, str], tmp_path: Path
) -> None:
    """The scan's own key is in a file: so OPENAI_ADMIN_KEY, of somebody else, tells nothing."""
    (tmp_path / "mine.yaml").write_text(POLICY.replace("key-never-used", "admin-key-too-old"))
    (tmp_path / "key").write_text(own["OPENAI_ADMIN_KEY"])
    (tmp_path / "keyvigil.yaml").write_text(
        "revocation: { mode: plan }\norganizations: [{ name: a, key_file: key }]\n"
    )
    other = {**own, "OPENAI_ADMIN_KEY": "sk-admin-of-somebody-else"}
    assert keyvigil("scan", env=other, cwd=tmp_path).code == 0
    held = document(other, tmp_path)["held"]
    assert held
    itself = "it may be the key that this scan itself uses"
    assert all(itself in one["reasons"] for one in held)
