"""Whose history a scan continues, through the real command: rotated keys, renamed names."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from scanner.identity import UNNAMED
from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, SandboxApp
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.quirk import Quirk
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.store.database import open_database
from tests.cli.examined import examined
from tests.cli.running import Ran, keyvigil
from tests.factories import NOW

pytestmark = pytest.mark.slow
ROTATED = "sk-admin-made-up-and-rotated-0123456789"
NAMELESS = frozenset({Quirk.NAMELESS})
TABLES = ("scans", "cases", "events")


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Someone who scans one organization into one history."""

    folder: Path
    url: str

    @property
    def place(self) -> Path:
        return self.folder / "history.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OPENAI_ADMIN_KEY": SANDBOX_KEY,
            "OPENAI_BASE_URL": self.url,
            "KEYVIGIL_STORE": str(self.place),
        }

    def run(self, *arguments: str | Path, key: str = SANDBOX_KEY) -> Ran:
        env = {**self.environment, "OPENAI_ADMIN_KEY": key}
        return keyvigil(*arguments, env=env, cwd=self.folder)

    def scan(self, *more: str, key: str = SANDBOX_KEY) -> tuple[dict[str, Any], str]:
        """The report of a scan, and what it printed beside."""
        ran = self.run("scan", "--output", "json=report.json", *more, key=key)
        assert ran.code == 0, ran.err
        return json.loads((self.folder / "report.json").read_text()), ran.out + ran.err

    def recorded(self) -> list[str]:
        """The history of each recorded scan, oldest first."""
        return [row["organization"] for row in json.loads(self.run("history", "--json").out)]


@pytest.fixture
def operator(organization: SandboxOrganization, tmp_path: Path) -> Iterator[Operator]:
    app = SandboxApp(organization, keys=dict.fromkeys((SANDBOX_KEY, ROTATED), ALL_SCOPES))
    with serving(app) as url:
        yield Operator(folder=tmp_path, url=url)


def opened(report: dict[str, Any]) -> int:
    states = report["history"]["states"]
    return int(states["new"] + states["reopened"] + states["resolved"])


def test_a_rotated_key_of_an_organization_without_a_name_continues_its_history(
    operator: Operator, organization: SandboxOrganization
) -> None:
    organization.quirks = NAMELESS
    first, said = operator.scan()
    assert opened(first) > 0
    assert "\nhelp: Set a name with --organization" in said
    second, _ = operator.scan(key=ROTATED)
    assert opened(second) == 0
    assert second["scan"]["renamed_from"] is None
    assert operator.recorded() == [UNNAMED, UNNAMED]
    named, said = operator.scan("--organization", "acme")
    assert (opened(named), named["scan"]["renamed_from"]) == (0, UNNAMED)
    assert UNNAMED in said
    again, _ = operator.scan("--organization", "acme")
    assert (opened(again), again["scan"]["renamed_from"]) == (0, None)
    assert operator.recorded() == ["acme"] * 4


def test_doctor_asks_for_a_name_where_neither_the_api_nor_the_settings_give_one(
    operator: Operator, organization: SandboxOrganization
) -> None:
    assert examined(operator.environment, operator.folder)[1]["organization"][0] == "ok"
    organization.quirks = NAMELESS
    code, lines = examined(operator.environment, operator.folder)
    state, _, mend = lines["organization"]
    assert (code, state) == (2, "problem")
    assert "--organization" in mend
    (operator.folder / "keyvigil.yaml").write_text("organization: acme\n")
    code, lines = examined(operator.environment, operator.folder)
    assert (code, lines["organization"][0]) == (0, "ok")
    operator.scan()
    assert operator.recorded() == ["acme"]


def test_a_history_of_an_old_key_is_found_again_with_another_key(
    operator: Operator, organization: SandboxOrganization
) -> None:
    organization.quirks = NAMELESS
    operator.scan()
    with open_database(str(operator.place)).writing() as connection:
        for table in TABLES:  # as the version before recorded it
            connection.execute(text(f"UPDATE {table} SET organization = 'key-0123abcd'"))  # noqa: S608 - our own names
        connection.execute(text("DROP TABLE history_names"))
        connection.execute(text("DROP TABLE history_projects"))
        connection.execute(text("ALTER TABLE locks DROP COLUMN lease_seconds"))
        connection.execute(text("UPDATE keyvigil_version SET version_num = '0005'"))
    report, _ = operator.scan(key=ROTATED)
    assert opened(report) == 0
    assert report["history"]["previous"] is not None


def test_a_renamed_organization_continues_its_history_and_is_reported_once(
    operator: Operator, organization: SandboxOrganization
) -> None:
    before = organization.name
    assert opened(operator.scan()[0]) > 0
    organization.name = "renamed"
    dry, _ = operator.scan("--dry-run")
    renamed, said = operator.scan(key=ROTATED)
    for report in (dry, renamed):
        assert opened(report) == 0
        assert (report["scan"]["organization"], report["scan"]["renamed_from"]) == (
            "renamed",
            before,
        )
    assert before in said
    again, said = operator.scan()
    assert (opened(again), again["scan"]["renamed_from"]) == (0, None)
    assert before not in said
    assert operator.recorded() == ["renamed"] * 3
    old = json.loads(operator.run("history", "--json", "--organization", before).out)
    assert len(old) == 3
    assert operator.run("diff", "previous", "latest", "--organization", "renamed").code == 0
    shown = operator.run("report", "--organization", before, "--output", "json=-")
    assert json.loads(shown.out)["history"]["states"] == again["history"]["states"]


def test_a_chosen_name_has_a_history_of_its_own_and_the_other_one_is_reported_once(
    operator: Operator, organization: SandboxOrganization
) -> None:
    first, _ = operator.scan()
    weekly, said = operator.scan("--organization", "weekly")
    assert weekly["history"]["previous"] is None
    assert opened(weekly) == opened(first)
    assert f"--organization {organization.name}" in said
    assert f"--organization {organization.name}" not in operator.scan("--organization", "weekly")[1]
    assert operator.scan()[0]["history"]["states"]["new"] == 0
    assert operator.recorded() == [organization.name, "weekly", "weekly", organization.name]


def test_two_organizations_without_a_name_do_not_share_a_history(
    operator: Operator, organization: SandboxOrganization
) -> None:
    organization.quirks = NAMELESS
    operator.scan()
    another = seeded_organization(
        seed=99, projects=120, keys_per_project=1, now=int(NOW.timestamp())
    )
    another.quirks = NAMELESS
    with serving(SandboxApp(another)) as url:
        stranger = Operator(folder=operator.folder, url=url)
        refused = stranger.run("scan")
        assert refused.code == 2
        assert "help: " in refused.err
        assert stranger.scan("--organization", "another")[0]["history"]["previous"] is None
    assert operator.recorded() == [UNNAMED, "another"]
