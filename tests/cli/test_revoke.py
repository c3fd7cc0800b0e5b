"""Revocation through the real commands: plan, apply, enforce, journal, undo."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from scanner.receipt import seal
from tests.cli.running import keyvigil
from tests.revocation.commands import Desk, desk
from tests.support.prose import Prose

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


def messages(own: Desk, text: str) -> str:
    """Return messages with the ids of the scenario replaced, for `prose`."""
    text = re.sub(r"on \d{4}-\d\d-\d\d", "on <date>", text.replace(own.cast.old.id, "<key>"))
    return re.sub(r"\d{8}T\d{6}Z-[0-9a-f]+", "<receipt>", text)


def test_a_plan_is_printed_and_written_and_changes_no_key(own: Desk) -> None:
    made = planned(own)
    assert [one["key"]["id"] for one in made["due"]] == [own.cast.old.id]
    assert (own.folder / "plan.json").stat().st_mode & 0o777 == 0o600
    shown = own.run("revoke", "plan")
    assert own.cast.old.id in shown.out
    assert own.cast.sibling.id not in shown.out
    assert json.loads(own.run("revoke", "plan", "--json").out) == made
    assert own.stage.organization.writes == []


def test_an_error_in_the_limits_is_reported_with_its_position(own: Desk, prose: Prose) -> None:
    (own.folder / "keyvigil.yaml").write_text("revocation:\n  mode: enforced\n  max_keys: many\n")
    ran = own.run("revoke", "plan")
    assert ran.code == 2
    first, second, *_ = ran.err.splitlines()
    assert first.startswith("keyvigil.yaml:2:9: ")
    assert second.startswith("keyvigil.yaml:3:13: ")
    prose(f"{first}\n{second}")


def test_a_scan_in_mode_enforce_revokes_records_and_reports(own: Desk) -> None:
    ran = own.run("scan", "--output", "html=report.html", "--output", "json=report.json")
    assert ran.code == 0, ran.err
    assert own.stage.written() == [("POST", own.cast.old.id)]
    assert own.cast.sibling.expires_at is None
    assert f"{own.cast.old.id}  backend in chat: " in ran.out
    report = json.loads((own.folder / "report.json").read_text())
    (act,) = report["revocation"]["actions"]
    assert (act["key_id"], act["result"]) == (own.cast.old.id, "done")
    assert act["request_id"].startswith("req_sandbox_")
    assert act["receipt"] in (own.folder / "report.html").read_text()
    again = own.run("scan")
    assert again.code == 0
    assert own.stage.written() == [("POST", own.cast.old.id)]
    assert f"(receipt {act['receipt']})" in own.run("revoke", "journal").out


def test_a_dry_run_only_reads(own: Desk, prose: Prose) -> None:
    planned(own)
    assert own.run("scan", "--dry-run").code == 0
    ran = own.run("revoke", "apply", "plan.json", "--dry-run")
    assert ran.code == 0, ran.err
    last = ran.out.splitlines()[-1]
    assert own.cast.old.id in last
    assert all(asked.startswith("GET ") for asked in own.stage.api.asked)
    assert own.run("revoke", "journal", "--json").out == ""
    prose(messages(own, f"{last}\n{own.run('revoke', 'journal').out}"))


def test_a_plan_is_applied_with_a_confirmation(own: Desk, prose: Prose) -> None:
    own.settle_for("plan")
    planned(own)
    unconfirmed = own.run("revoke", "apply", "plan.json")
    assert unconfirmed.code == 2
    assert "--yes" in unconfirmed.err
    prose(unconfirmed.err)
    assert own.stage.organization.writes == []
    ran = own.run("revoke", "apply", "plan.json", "--yes")
    assert ran.code == 0, ran.err
    assert own.stage.written() == [("POST", own.cast.old.id)]
    again = own.run("revoke", "apply", "plan.json", "--yes")
    assert again.code == 0
    (receipt,) = {act.intent.receipt for act in own.stage.acts()}
    assert receipt in again.out
    assert own.stage.written() == [("POST", own.cast.old.id)]


@pytest.mark.parametrize(
    "how", ["edited", "no plan", "absent", "late", "policy", "off", "switch", "organization"]
)
def test_an_invalid_plan_is_refused(own: Desk, how: str, prose: Prose) -> None:
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
    prose(ran.err)
    assert own.stage.organization.writes == []


def sealed(document: dict[str, Any]) -> str:
    """Return the digest of a plan, as the writer of the plan computes it."""
    import hashlib  # noqa: PLC0415 - only here

    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def test_in_mode_plan_a_scan_revokes_no_key(own: Desk) -> None:
    own.settle_for("plan")
    ran = own.run("scan")
    assert ran.code == 0
    assert "Revocation (plan only): 1 due." in ran.out
    assert own.stage.organization.writes == []


def test_a_due_key_that_is_not_in_the_plan_is_not_revoked(tmp_path: Path) -> None:
    """The sibling was protected when the plan was made."""
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
    assert "is not a valid revocation plan" in ran.err
    assert own.stage.organization.writes == []


def test_a_plan_that_now_exceeds_a_limit_exits_with_five(own: Desk) -> None:
    planned(own)
    (own.folder / "keyvigil.yaml").write_text("revocation: { mode: enforce }\n")
    ran = own.run("revoke", "apply", "plan.json", "--yes")
    assert ran.code == 5
    assert "max_percent" in ran.err
    assert own.stage.organization.writes == []


@pytest.mark.parametrize("what", ["file", "switch"])
def test_the_kill_switch_stops_a_scan_from_revoking(own: Desk, what: str) -> None:
    extra = {}
    if what == "file":
        (own.folder / "keyvigil.stop").touch()
    else:
        extra = {"KEYVIGIL_REVOCATION": "off"}
    ran = own.run("scan", **extra)
    assert ran.code == 0, ran.err
    assert own.stage.organization.writes == []
    assert ("keyvigil.stop" in ran.out) is (what == "file")


def test_an_exceeded_limit_exits_with_five(own: Desk, prose: Prose) -> None:
    (own.folder / "keyvigil.yaml").write_text("revocation: { mode: enforce }\n")
    ran = own.run("scan")
    assert ran.code == 5
    assert "max_percent" in ran.err
    prose(ran.err)
    assert own.stage.organization.writes == []


def test_a_refusal_of_the_api_exits_with_five(own: Desk, prose: Prose) -> None:
    own.stage.api.faults = [400]
    ran = own.run("scan")
    assert ran.code == 5
    (act,) = own.stage.acts()
    assert act.intent.receipt in ran.err
    prose(messages(own, ran.err))
    assert own.run("scan").code == 0


def test_an_expiry_is_undone_and_the_undo_is_recorded(own: Desk, prose: Prose) -> None:
    assert own.run("scan").code == 0
    receipt = json.loads(own.run("revoke", "journal", "--json").out.splitlines()[0])
    name = json.loads(receipt["content"])["intent"]["receipt"]
    ran = own.run("revoke", "undo", name, KEYVIGIL_REVOCATION="off")
    assert ran.code == 0, ran.err
    assert name in ran.out
    prose(messages(own, f"{ran.out}{ran.err}"))
    assert own.cast.old.expires_at is not None
    left = own.cast.old.expires_at - datetime.now(UTC).timestamp()
    assert 364 * 86_400 < left <= 365 * 86_400
    again = own.run("revoke", "undo", name)
    assert again.code == 2
    assert name in again.err
    assert own.run("scan").code == 0
    assert len(own.stage.written()) == 2
    plan = json.loads(own.run("revoke", "plan", "--json").out)
    assert f"(receipt {name})" in plan["skipped"][0]["reasons"][0]


def test_an_unknown_receipt_is_an_error(own: Desk) -> None:
    ran = own.run("revoke", "undo", "no-such-receipt")
    assert ran.code == 2
    assert "'no-such-receipt'" in ran.err


def test_a_changed_journal_is_detected(own: Desk) -> None:
    assert own.run("scan").code == 0
    good = own.run("revoke", "journal", "verify")
    assert good.code == 0
    rows = [json.loads(line) for line in own.run("revoke", "journal", "--json").out.splitlines()]
    assert good.out.startswith("Acme: 2 entries")
    assert good.out.endswith(f"{rows[-1]['hash']}\n")
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
    assert "Acme at entry 2." in bad.err
    ran = own.run("scan")
    assert ran.code == 3
    assert "entry 2" in ran.err
    assert len(own.stage.written()) == 1


def test_without_a_rule_that_requests_revocation_the_plan_is_empty(own: Desk, prose: Prose) -> None:
    assert own.run("scan", KEYVIGIL_POLICY="baseline").code == 0
    ran = own.run("revoke", "plan", KEYVIGIL_POLICY="baseline")
    assert ran.code == 0
    prose(ran.out)


def test_revocation_without_a_history_is_refused(own: Desk) -> None:
    ran = own.run("scan", "--store", "none")
    assert ran.code == 2
    assert "--store none" in ran.err
    assert "revocation" in ran.err
    assert keyvigil("revoke", "journal", env={"KEYVIGIL_STORE": os.devnull + "/x"}).code == 2
