"""Revocation where the settings list organizations: each with its own key, plan and journal."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scanner.sandbox.app import SANDBOX_KEY
from tests.cli.running import keyvigil, sandbox
from tests.revocation.commands import Desk, desk
from tests.revocation.staging import ACME
from tests.support.prose import Prose

pytestmark = pytest.mark.slow
REVOCATION = "revocation: { mode: enforce, max_percent: 100 }\n"
OTHERS_KEY = "sk-admin-of-another-organization"
ADMINS = """\
policy: mine
extends: [baseline]
rules:
  - id: admin-key-too-old
    respond: { revoke: expire, after: 7d }
"""


@contextmanager
def listed(folder: Path, *, other: bool = True) -> Iterator[Desk]:
    """A desk whose organization has its key in a file, and a second organization."""
    with desk(folder) as made, sandbox("--projects", "1", "--keys-per-project", "2") as second:
        (folder / "acme.key").write_text(SANDBOX_KEY)
        text = f"{REVOCATION}organizations:\n"
        own = made.env["OPENAI_BASE_URL"]
        text += f'  - {{ name: {ACME}, key_file: acme.key, base_url: "{own}" }}\n'
        if other:
            url = second["OPENAI_BASE_URL"]
            text += f'  - {{ name: other, key_env: OTHER_KEY, base_url: "{url}" }}\n'
        (folder / "keyvigil.yaml").write_text(text)
        env = {
            **made.env,
            "OPENAI_BASE_URL": "",
            "OPENAI_ADMIN_KEY": OTHERS_KEY,
            "OTHER_KEY": second["OPENAI_ADMIN_KEY"],
        }
        yield replace(made, env=env)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    with listed(tmp_path) as made:
        yield made


def receipts(own: Desk) -> list[dict[str, Any]]:
    ran = own.run("revoke", "journal", "--json")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    return [json.loads(row["content"]) | {"of": row["organization"]} for row in rows]


def test_each_organization_is_revoked_with_its_own_admin_key(own: Desk) -> None:
    ran = own.run("scan")
    assert ran.code == 0, ran.err
    assert own.stage.written() == [("POST", own.cast.old.id)]
    noted = receipts(own)
    assert [one["of"] for one in noted] == [ACME, ACME]
    back = own.run("revoke", "undo", noted[0]["intent"]["receipt"], "--organization", ACME)
    assert back.code == 0, back.err
    assert len(own.stage.written()) == 2


def test_a_failed_revocation_exits_with_five_and_stops_no_other_organization(own: Desk) -> None:
    own.stage.api.faults = [400]
    ran = own.run("scan")
    assert ran.code == 5
    assert f"on {own.cast.old.id}" in ran.err
    assert [line.split()[-1] for line in ran.out.splitlines()[-2:]] == ["5", "0"]


def test_a_plan_is_applied_for_the_organization_that_is_named(own: Desk) -> None:
    assert own.run("scan", KEYVIGIL_REVOCATION="off").code == 0
    ran = own.run("revoke", "plan", "--organization", ACME, "--output", "plan.json")
    assert ran.code == 0, ran.err
    unnamed = own.run("revoke", "apply", "plan.json", "--yes")
    assert unnamed.code == 2
    assert "--organization" in unnamed.err
    assert f"{ACME}, other" in unnamed.err
    unknown = own.run("revoke", "apply", "plan.json", "--yes", "--organization", "Acmee")
    assert (unknown.code, "'Acme'" in unknown.err) == (2, True)
    another = own.run("revoke", "apply", "plan.json", "--yes", "--organization", "other")
    assert another.code == 2
    assert {ACME, "sandbox-7"} <= set(re.findall(r"[\w-]+", another.err))
    assert own.stage.organization.writes == []
    ran = own.run("revoke", "apply", "plan.json", "--yes", "--organization", ACME)
    assert ran.code == 0, ran.err
    assert own.stage.written() == [("POST", own.cast.old.id)]


def test_a_single_organization_needs_no_name(tmp_path: Path) -> None:
    with listed(tmp_path, other=False) as own:
        assert own.run("scan", KEYVIGIL_REVOCATION="off").code == 0
        assert own.run("revoke", "plan", "--output", "plan.json").code == 0
        ran = own.run("revoke", "apply", "plan.json", "--yes")
        assert ran.code == 0, ran.err
        assert own.stage.written() == [("POST", own.cast.old.id)]
        ran = own.run("revoke", "undo", receipts(own)[0]["intent"]["receipt"])
        assert ran.code == 0, ran.err


def test_the_stop_file_is_beside_the_settings(own: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (own.folder / "keyvigil.stop").touch()
    env = {**own.env, "KEYVIGIL_CONFIG": str(own.folder / "keyvigil.yaml")}
    env["KEYVIGIL_POLICY"] = str(own.folder / "mine.yaml")
    ran = keyvigil("scan", cwd=elsewhere, env=env)
    assert ran.code == 0, ran.err
    assert str(own.folder / "keyvigil.stop") in ran.out
    assert own.stage.organization.writes == []


def test_with_a_key_file_any_admin_key_may_be_the_scans_own(tmp_path: Path, prose: Prose) -> None:
    """OPENAI_ADMIN_KEY of another organization does not show which key the scan uses."""
    (tmp_path / "mine.yaml").write_text(ADMINS)
    (tmp_path / "keyvigil.yaml").write_text(
        "revocation: { mode: plan }\norganizations: [{ name: a, key_file: key }]\n"
    )
    with sandbox("--projects", "3", "--keys-per-project", "9") as served:
        (tmp_path / "key").write_text(served["OPENAI_ADMIN_KEY"])
        env = {
            **served,
            "OPENAI_ADMIN_KEY": OTHERS_KEY,
            "KEYVIGIL_STORE": str(tmp_path / "history.db"),
            "KEYVIGIL_POLICY": "mine.yaml",
        }
        ran = keyvigil("scan", env=env, cwd=tmp_path)
        assert ran.code == 0, ran.err
    held = json.loads(keyvigil("revoke", "plan", "--json", env=env, cwd=tmp_path).out)["skipped"]
    assert held
    (reason,) = {one["reasons"][0] for one in held}
    prose(reason)
