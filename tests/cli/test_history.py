"""The history through the real command: what a scan records, and how it can be printed."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.running import Ran, keyvigil, sandbox
from tests.factories import NOW
from tests.store.making import a_history, a_store

pytestmark = pytest.mark.slow

POLICY = """\
policy: mine
rules:
  - id: old
    title: Keys are young
    severity: {severity}
    violated_when: {{ age: {{ over: {days}d }} }}
    why: W
    fix: F
"""


def scans(place: Path) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads(keyvigil("history", "--store", place, "--json").out)
    return listed


def test_nights_are_recorded_compared_and_told(tmp_path: Path) -> None:
    place, mine = tmp_path / "history.db", tmp_path / "mine.yaml"
    mine.write_text(POLICY.format(severity="high", days=90))

    with sandbox("--projects", "3", "--keys-per-project", "9") as settings:

        def scan(*more: str | Path) -> Ran:
            return keyvigil("scan", "--policy", mine, "--store", place, *more, env=settings)

        first = scan()
        assert first.code == 0
        assert "First scan: " in first.out
        assert " UTC: no changes." in scan().out
        mine.write_text(POLICY.format(severity="critical", days=90))
        assert "escalated." in scan("--dry-run").out
        assert len(scans(place)) == 2
        worse = scan("--output", f"json={tmp_path / 'report.json'}")
        assert "escalated." in worse.out
        mine.write_text(POLICY.format(severity="critical", days=3000))
        assert " policy changed)." in scan().out

    history = json.loads((tmp_path / "report.json").read_text())["history"]
    assert history["states"]["escalated"] == history["scans"][-1]["by_severity"]["critical"] > 0
    listed = keyvigil("history", "--store", place)
    assert [line.split()[0] for line in listed.out.splitlines()[1:5]] == [
        scan["scan"] for scan in scans(place)
    ]
    told = keyvigil("diff", "previous", "latest", "--store", place)
    assert "resolved, policy changed  critical  old  key_" in told.out
    turned = keyvigil("diff", "latest", "previous", "--store", place, "--json")
    assert {row["change"] for row in json.loads(turned.out)} == {"resolved"}
    assert "is the earlier scan" in turned.err

    again = keyvigil("scan", "--policy", mine, "--from", "previous", "--store", place)
    assert again.code == 0
    mine.write_text(POLICY.format(severity="critical", days=90))
    by_id = keyvigil("scan", "--policy", mine, "--from", scans(place)[0]["scan"], "--store", place)
    assert "violations" in by_id.out
    assert len(scans(place)) == 4


def test_the_history_stands_in_the_state_folder_unless_told_otherwise(tmp_path: Path) -> None:
    with sandbox("--projects", "1", "--keys-per-project", "2") as settings:
        home = {"XDG_STATE_HOME": str(tmp_path / "state"), "KEYVIGIL_STORE": ""}
        assert keyvigil("scan", env=settings | home).code == 0
        path = tmp_path / "state" / "keyvigil" / "history.db"
        assert path.stat().st_mode & 0o777 == 0o600
        elsewhere = home | {"XDG_STATE_HOME": str(tmp_path / "other")}
        assert keyvigil("scan", "--store", "none", env=settings | elsewhere).code == 0
        assert not (tmp_path / "other").exists()


def test_a_name_keeps_two_histories_apart(tmp_path: Path) -> None:
    place = tmp_path / "history.db"
    with sandbox("--projects", "1", "--keys-per-project", "2") as settings:
        for name in ("one", "two", "two"):
            assert (
                keyvigil("scan", "--store", place, "--organization", name, env=settings).code == 0
            )
    assert [scan["organization"] for scan in scans(place)] == ["one", "two", "two"]
    one = keyvigil("history", "--store", place, "--organization", "one", "--json")
    assert len(json.loads(one.out)) == 1
    ids = [scan["scan"] for scan in scans(place)]
    mixed = keyvigil("diff", ids[0], ids[1], "--store", place)
    assert mixed.code == 2
    assert "two scans of the same organization" in mixed.err
    few = {"KEYVIGIL_KEEP_SNAPSHOTS": "1"}
    pruned = keyvigil("history", "--store", place, "prune", env=few)
    assert pruned.out.splitlines() == [
        "one: deleted 0 scans, 0 snapshots and 0 resolved findings.",
        "two: deleted 0 scans, 1 snapshot and 0 resolved findings.",
    ]
    forgotten = keyvigil("scan", "--from", ids[1], "--store", place)
    assert forgotten.code == 2
    assert ids[1] in forgotten.err
    assert "KEYVIGIL_KEEP_SNAPSHOTS" in forgotten.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("history", "--store", "none"), "--store is none"),
        (("history",), "history.db."),
        (("history", "prune"), "history.db."),
        (("diff", "latest", "previous"), "history.db."),
        (("scan", "--from", "20260101T000000Z"), "history.db."),
        (("scan", "--from", "nowhere.gz"), "nowhere.gz is not a valid keyvigil.snapshot/1"),
        (("scan", "--from", "latest", "--dry-run"), "--dry-run has no effect with --from"),
        (("scan", "--from", "x.gz", "--deadline", "3"), "--deadline has no effect with --from"),
    ],
)
def test_missing_data_and_conflicting_options_are_one_clear_message(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    ran = keyvigil(*arguments, env={"KEYVIGIL_STORE": str(tmp_path / "history.db")})
    assert ran.code == 2
    assert says in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["history.db", "none"])
def test_without_a_history_the_list_is_empty_and_a_message_names_the_place(
    tmp_path: Path, place: str
) -> None:
    ran = keyvigil("history", "--store", place, "--json", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "[]\n")
    assert "history" in ran.err
    assert keyvigil("history", "--store", place, cwd=tmp_path).code == 2
    assert keyvigil("history", "--store", ".", "--json", cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYVIGIL_KEEP", "1h"),
        ("KEYVIGIL_KEEP", "a while"),
        ("KEYVIGIL_KEEP_SNAPSHOTS", "-1"),
        ("KEYVIGIL_LEASE", "0"),
        ("KEYVIGIL_STOR", "x.db"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_asked(
    tmp_path: Path, name: str, value: str
) -> None:
    path = str(tmp_path / "history.db")
    key = {"OPENAI_ADMIN_KEY": "sk-admin-made-up"}
    ran = keyvigil("scan", env=key | {"KEYVIGIL_STORE": path, name: value})
    assert ran.code == 2
    assert name in ran.err
    assert not Path(path).exists()


def test_a_history_that_fails_costs_no_report(tmp_path: Path) -> None:
    place, report = tmp_path / "history.db", tmp_path / "report.json"
    with sandbox("--projects", "1", "--keys-per-project", "2") as settings:
        assert keyvigil("scan", "--store", place, env=settings).code == 0
        with closing(sqlite3.connect(place)) as database:
            database.execute("DROP TABLE events")
        ran = keyvigil("scan", "--store", place, "--output", f"json={report}", env=settings)
    assert ran.code == 3
    assert "no such table: events" in ran.err
    assert json.loads(report.read_text())["totals"]["keys"] > 0


def test_the_selected_organization_is_printed_if_the_history_has_several(
    tmp_path: Path,
) -> None:
    place = tmp_path / "history.db"
    store = a_store(str(place))
    for number, name in enumerate(("Acme", "Labs")):
        with store.hold(name) as lease:
            at = NOW + timedelta(days=number)
            store.record(lease, a_history(at, organization=name), b"")
    with store.hold("Labs") as lease:
        again = a_history(NOW + timedelta(days=2), organization="Labs")
        store.record(lease, again, b"")
    ran = keyvigil("diff", "previous", "latest", "--store", place)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert "Labs" in ran.err
    assert "--organization" in ran.err
    named = keyvigil("diff", "previous", "latest", "--organization", "Acme", "--store", place)
    assert named.code == 2
    assert " previous scan of Acme " in named.err.splitlines()[0]
    assert named.err.splitlines()[0].endswith(f" {place}.")
