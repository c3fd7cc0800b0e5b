"""The schedule where people look: `doctor` tells the next runs, `config show` who said what."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.cli.examined import examined
from tests.cli.running import keyvigil

SCHEDULE = "schedule: { cron: '0 12 * * *', time_zone: Asia/Tokyo, jitter: 10m }\n"


def test_doctor_tells_the_next_three_runs_as_a_clock_there_shows_them(tmp_path: Path) -> None:
    (tmp_path / "keyvigil.yaml").write_text(SCHEDULE)
    asked_at = datetime.now(UTC)
    _, lines = examined({}, tmp_path)
    state, said, _ = lines["schedule"]
    told = said.removeprefix("keyvigil serve: 0 12 * * * in Asia/Tokyo, next ")
    runs = [datetime.strptime(run, "%a %Y-%m-%d %H:%M JST") for run in told.split(", ")]  # noqa: DTZ007
    assert state == "ok"
    assert [run.hour for run in runs] == [12, 12, 12]
    assert [(run - runs[0]).days for run in runs] == [0, 1, 2]
    ahead = runs[0].replace(tzinfo=UTC) - asked_at
    assert 0 < ahead.total_seconds() - 9 * 3600 < 25 * 3600


def test_doctor_tells_what_is_no_schedule(tmp_path: Path) -> None:
    code, lines = examined({"KEYVIGIL_CRON": "daily"}, tmp_path)
    assert code == 2
    assert lines["schedule"][0] == "problem"
    assert lines["schedule"][1].startswith("KEYVIGIL_CRON 'daily': character 6: a schedule")
    (tmp_path / "keyvigil.yaml").write_text("schedule: { cron: daily }\n")
    _, lines = examined({}, tmp_path)
    assert lines["settings file"][0] == "problem"
    assert lines["schedule"][0] == "not checked"


def test_config_show_tells_who_said_the_schedule(tmp_path: Path) -> None:
    (tmp_path / "keyvigil.yaml").write_text(SCHEDULE)
    env = {"KEYVIGIL_CRON": "@daily"}
    ran = keyvigil("config", "show", "--json", cwd=tmp_path, env=env)
    rows = {row["name"]: (row["value"], row["origin"]) for row in json.loads(ran.out)["settings"]}
    assert {name: row for name, row in rows.items() if name.startswith("schedule.")} == {
        "schedule.cron": ("@daily", "KEYVIGIL_CRON"),
        "schedule.time_zone": ("Asia/Tokyo", "keyvigil.yaml:1:11"),
        "schedule.jitter": ("10m", "keyvigil.yaml:1:11"),
        "schedule.timeout": ("6h", "keyvigil.yaml:1:11"),
    }
