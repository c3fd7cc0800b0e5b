"""Revocation through the real commands: planned, applied, enforced, noted, taken back."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from scanner.receipt import seal
from tests.cli.running import keyvigil
from tests.revocation.commands import Desk, desk

pytestmark = pytest.mark.slow


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


def planned(own: Desk) -> dict[str, Any]:
    ran = own.run("scan", KEYVIGIL_REVOCATION="off")
    assert ran.code == 0, ran.err
    ran = own.run("revoke", "plan", "--output", "plan.json")
    assert ran.code == 0, ran.err
    read: dict[str, Any] = json.loads((own.folder / "plan.json").read_text())
    return read


def test_a_plan_is_told_and_written_and_changes_nothing(own: Desk) -> None:
    made = planned(own)
    assert [one["key"]["id"] for one in made["due"]] == [own.cast.old.id]
    assert (own.folder / "plan.json").stat().st_mode & 0o777 == 0o600
    shown = own.run("revoke", "plan")
    assert "Due: 1 key" in shown.out
    assert json.loads(own.run("revoke", "plan", "--json").out) == made
    assert own.stage.organization.writes == []


def test_a_mistake_in_the_bounds_is_told_at_its_place(own: Desk) -> None:
    (own.folder / "keyvigil.yaml").write_text("revocation:\n  mode: enforced\n  max_keys: many\n")
    ran = own.run("revoke", "plan")
    assert ran.code == 2
    assert ran.err.splitlines()[:2] == [
        "keyvigil.yaml:2:9: 'mode' is never 'enforced'; did you mean 'enforce'?",
        "keyvigil.yaml:3:13: 'max_keys' is a whole number of keys a day; 0 revokes none",
    ]


def test_an_enforced_night_revokes_notes_and_reports(own: Desk) -> None:
    ran = own.run("scan", "--output", "html=report.html", "--output", "json=report.json")
    assert ran.code == 0, ran.err
    assert own.stage.written() == [("POST", own.cast.old.id)]
    assert own.cast.sibling.expires_at is None
    assert f"{own.cast.old.id}  backend in chat: stops working on " in ran.out
    report = json.loads((own.folder / "report.json").read_text())
    (act,) = report["revocation"]["actions"]
    assert (act["key_id"], act["result"]) == (own.cast.old.id, "done")
    assert act["request_id"].startswith("req_sandbox_")
    assert act["receipt"] in (own.folder / "report.html").read_text()
    again = own.run("scan")
    assert again.code == 0
    assert own.stage.written() == [("POST", own.cast.old.id)]
    assert f"(receipt {act['receipt']})" in own.run("revoke", "journal").out


def test_a_dry_run_asks_for_nothing_but_to_read(own: Desk) -> None:
    planned(own)
    assert own.run("scan", "--dry-run").code == 0
    ran = own.run("revoke", "apply", "plan.json", "--dry-run")
    assert ran.code == 0, ran.err
    assert f"{own.cast.old.id} would be given an end now; nothing was changed" in ran.out
    assert all(asked.startswith("GET ") for asked in own.stage.api.asked)
    assert own.run("revoke", "journal").out == "Nothing was ever done to a key.\n"


def test_a_plan_is_applied_by_whoever_says_yes(own: Desk) -> None:
    own.settle_for("plan")
    planned(own)
    nobody = own.run("revoke", "apply", "plan.json")
    assert nobody.code == 2
    assert "nobody is there to say yes" in nobody.err
    assert own.stage.organization.writes == []
    ran = own.run("revoke", "apply", "plan.json", "--yes")
    assert ran.code == 0, ran.err
    assert own.stage.written() == [("POST", own.cast.old.id)]
    again = own.run("revoke", "apply", "plan.json", "--yes")
    assert again.code == 0
    assert "it was revoked already" in again.out
    assert own.stage.written() == [("POST", own.cast.old.id)]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("edited", "was edited"),
        ("no plan", "is no plan of revocations"),
        ("absent", "cannot be read"),
        ("late", "The plan held until"),
        ("policy", "made by other policies"),
        ("off", "Revocation is off"),
        ("switch", "Revocation is off"),
        ("organization", "The plan is for Other"),
    ],
)
def test_a_plan_that_does_not_hold_is_refused(own: Desk, how: str, says: str) -> None:
    made = planned(own)
    extra = {}
    if how == "edited":
        made["due"][0]["key"]["id"] = own.cast.sibling.id
    elif how == "late":
        made["expires_at"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    elif how == "organization":
        made["organization"] = "Other"
    elif how == "off":
        own.settle_for('"off"')
    elif how == "switch":
        extra = {"KEYVIGIL_REVOCATION": "off"}
    elif how == "policy":
        policy = own.folder / "mine.yaml"
        policy.write_text(policy.read_text().replace("7d", "1d"))
    if how in ("late", "organization"):
        del made["digest"]
        made["digest"] = sealed(made)
    (own.folder / "plan.json").write_text("{}" if how == "no plan" else json.dumps(made))
    name = "absent.json" if how == "absent" else "plan.json"
    ran = own.run("revoke", "apply", name, "--yes", **extra)
    assert ran.code == 2
    assert says in ran.err
    assert own.stage.organization.writes == []


def sealed(document: dict[str, Any]) -> str:
    """Seal a plan as whoever wrote it would."""
    import hashlib  # noqa: PLC0415 - only here

    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def test_where_only_plans_are_made_a_scan_revokes_nothing(own: Desk) -> None:
    own.settle_for("plan")
    ran = own.run("scan")
    assert ran.code == 0
    assert "Revocation (plan): 1 due." in ran.out
    assert own.stage.organization.writes == []


def test_what_nobody_approved_is_not_done_though_it_is_due(tmp_path: Path) -> None:
    """The sibling was protected when somebody looked at the plan."""
    with desk(tmp_path, both=True) as own:
        protected = f"protect: {{ keys: [{own.cast.sibling.id}] }} }}"
        settings = f"revocation: {{ mode: plan, max_percent: 100, {protected}\n"
        (own.folder / "keyvigil.yaml").write_text(settings)
        made = planned(own)
        assert [one["key"]["id"] for one in made["due"]] == [own.cast.old.id]
        own.settle_for("plan")
        assert len(json.loads(own.run("revoke", "plan", "--json").out)["due"]) == 2
        ran = own.run("revoke", "apply", "plan.json", "--yes")
        assert ran.code == 0, ran.err
        assert own.stage.written() == [("POST", own.cast.old.id)]


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.pop("due"),
        lambda made: made.update(due=None),
        lambda made: made.update(expires_at="2099-01-01T00:00:00"),
        lambda made: made.update(expires_at="soon"),
        lambda made: made.update(due=[{"key": {"id": []}, "method": "expire", "rule": "old"}]),
        lambda made: made["due"][0].update(method="destroy"),
        lambda made: made.update(organization=None),
    ],
)
def test_a_plan_of_another_form_is_one_clear_error(own: Desk, change: Any) -> None:
    made = planned(own)
    change(made)
    made.pop("digest")
    made["digest"] = sealed(made)
    (own.folder / "plan.json").write_text(json.dumps(made))
    ran = own.run("revoke", "apply", "plan.json", "--yes")
    assert ran.code == 2
    assert "is no plan that KeyVigil wrote" in ran.err
    assert own.stage.organization.writes == []


def test_a_plan_that_is_over_the_bounds_now_ends_with_five(own: Desk) -> None:
    planned(own)
    (own.folder / "keyvigil.yaml").write_text("revocation: { mode: enforce }\n")
    ran = own.run("revoke", "apply", "plan.json", "--yes")
    assert ran.code == 5
    assert "none is revoked" in ran.err
    assert own.stage.organization.writes == []


@pytest.mark.parametrize("what", ["file", "switch"])
def test_the_kill_switch_stops_a_night(own: Desk, what: str) -> None:
    extra = {}
    if what == "file":
        (own.folder / "keyvigil.stop").touch()
    else:
        extra = {"KEYVIGIL_REVOCATION": "off"}
    ran = own.run("scan", **extra)
    assert ran.code == 0, ran.err
    assert own.stage.organization.writes == []
    assert ("there is the stop file" in ran.out) is (what == "file")


def test_more_than_the_bounds_allow_ends_with_five(own: Desk) -> None:
    (own.folder / "keyvigil.yaml").write_text("revocation: { mode: enforce }\n")
    ran = own.run("scan")
    assert ran.code == 5
    assert "max_percent is 1: none is revoked" in ran.err
    assert own.stage.organization.writes == []


def test_what_the_api_refuses_ends_with_five(own: Desk) -> None:
    own.stage.api.faults = [400]
    ran = own.run("scan")
    assert ran.code == 5
    assert "was to be given an end: refused" in ran.err
    assert own.run("scan").code == 0


def test_an_expiry_is_taken_back_and_that_is_noted_too(own: Desk) -> None:
    assert own.run("scan").code == 0
    receipt = json.loads(own.run("revoke", "journal", "--json").out.splitlines()[0])
    name = json.loads(receipt["content"])["intent"]["receipt"]
    ran = own.run("revoke", "undo", name, KEYVIGIL_REVOCATION="off")
    assert ran.code == 0, ran.err
    assert f"takes {name} back" in ran.out
    assert "as late as can be" in ran.err
    assert own.cast.old.expires_at is not None
    left = own.cast.old.expires_at - datetime.now(UTC).timestamp()
    assert 364 * 86_400 < left <= 365 * 86_400
    again = own.run("revoke", "undo", name)
    assert again.code == 2
    assert "was taken back already" in again.err
    assert own.run("scan").code == 0
    assert len(own.stage.written()) == 2
    plan = json.loads(own.run("revoke", "plan", "--json").out)
    assert "its revocation was taken back" in plan["skipped"][0]["reasons"][0]


def test_an_unknown_receipt_is_told(own: Desk) -> None:
    ran = own.run("revoke", "undo", "nothing")
    assert ran.code == 2
    assert "There is no receipt 'nothing'." in ran.err


def test_the_journal_shows_whoever_wrote_to_it(own: Desk) -> None:
    assert own.run("scan").code == 0
    good = own.run("revoke", "journal", "verify")
    assert good.code == 0
    assert "Acme: 2 entries, unbroken. Last hash: " in good.out
    rows = [json.loads(line) for line in own.run("revoke", "journal", "--json").out.splitlines()]
    assert [row["hash"] for row in rows] == [seal(row["before"], row["content"]) for row in rows]
    engine = create_engine(f"sqlite:///{own.folder / 'history.db'}")
    with engine.begin() as connection:
        forged = text(
            "UPDATE journal SET content = replace(content, 'done', 'failed') WHERE number = 2"
        )
        connection.execute(forged)
    engine.dispose()
    bad = own.run("revoke", "journal", "verify")
    assert bad.code == 3
    assert "The journal was changed: Acme at entry 2." in bad.err
    ran = own.run("scan")
    assert ran.code == 3
    assert "was changed at entry 2" in ran.err
    assert len(own.stage.written()) == 1


def test_without_a_rule_that_asks_there_is_nothing_to_say(own: Desk) -> None:
    assert own.run("scan", KEYVIGIL_POLICY="baseline").code == 0
    ran = own.run("revoke", "plan", KEYVIGIL_POLICY="baseline")
    assert ran.code == 0
    assert ran.out.startswith("No rule of the policy asks for a revocation")


def test_revocation_without_a_history_is_refused(own: Desk) -> None:
    ran = own.run("scan", "--store", "none")
    assert ran.code == 2
    assert "--store none, and revocation" in ran.err
    assert keyvigil("revoke", "journal", env={"KEYVIGIL_STORE": os.devnull + "/x"}).code == 2
