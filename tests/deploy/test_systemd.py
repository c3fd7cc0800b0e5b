"""The units, judged by systemd itself, and the crontab."""

import re
import shutil
from pathlib import Path

import pytest

from tests.commands import run, tried
from tests.conftest import ROOT, absent

UNITS = ROOT / "deploy" / "systemd"
CRONTAB = ROOT / "deploy" / "cron" / "crontab"
WORST = 15
"""Tenths of systemd's points of exposure, from 0 to 100."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units on a machine where everything is installed as the guide says."""
    if shutil.which("systemd-analyze") is None:
        absent("there is no systemd-analyze on this machine")
    for folder in ("bin", "libexec"):
        (tmp_path / "opt" / "keyvigil" / folder).mkdir(parents=True)
    shutil.copy(UNITS / "keyvigil-credentials", tmp_path / "opt" / "keyvigil" / "libexec")
    shutil.copy("/bin/true", tmp_path / "opt" / "keyvigil" / "bin" / "keyvigil")
    for name in ("keyvigil.service", "keyvigil.timer"):
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/", f"{tmp_path}/opt/"))
    return tmp_path


def analyze(units: Path, *question: str) -> tuple[int, str]:
    done = tried("systemd-analyze", *question, cwd=units)
    return done.returncode, done.stdout + done.stderr


def exposure(units: Path) -> tuple[int, str]:
    service = str(units / "keyvigil.service")
    return analyze(units, "security", "--offline=yes", f"--threshold={WORST}", service)


def test_systemd_takes_the_units(units: Path) -> None:
    names = ("keyvigil.service", "keyvigil.timer")
    for name in names:
        assert analyze(units, "verify", "--man=no", str(units / name)) == (0, "")


def test_systemd_complains_of_a_misspelt_line(units: Path) -> None:
    service = units / "keyvigil.service"
    service.write_text(service.read_text().replace("ProtectSystem=", "ProtectSytem="))
    _, said = analyze(units, "verify", "--man=no", str(service))
    assert "ProtectSytem" in said


def test_systemd_finds_the_service_little_exposed(units: Path) -> None:
    code, said = exposure(units)
    assert code == 0, said


@pytest.mark.parametrize(
    "line",
    ["CapabilityBoundingSet=", "SystemCallFilter=@system-service", "RestrictNamespaces=yes"],
)
def test_a_service_that_gives_up_a_defence_is_told(units: Path, line: str) -> None:
    service = units / "keyvigil.service"
    text = service.read_text()
    if line.startswith("SystemCallFilter"):
        text = re.sub("SystemCallFilter=.*\n", "", text)
    service.write_text(text.replace(f"{line}\n", ""))
    assert exposure(units)[0] != 0


def test_the_timer_runs_every_night(units: Path) -> None:
    timer = (units / "keyvigil.timer").read_text()
    when = re.search("^OnCalendar=(.*)$", timer, re.MULTILINE)
    assert when is not None
    _, said = analyze(units, "calendar", "--iterations=2", when[1])
    assert "Normalized form: *-*-* 03:17:00" in said
    assert "Persistent=true" in timer


def test_credentials_become_the_environment(tmp_path: Path) -> None:
    (tmp_path / "env_OPENAI_ADMIN_KEY").write_text("sk-admin-made-up\n")
    (tmp_path / "env_KEYVIGIL_SLACK_TOKEN").write_text("a 'b' $(c)")
    show = "import os; print([os.environ[n] for n in ('OPENAI_ADMIN_KEY', 'KEYVIGIL_SLACK_TOKEN')])"
    command = (UNITS / "keyvigil-credentials", "python3", "-c", show)
    said = run(*command, cwd=tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert said == "['sk-admin-made-up', \"a 'b' $(c)\"]\n"


def test_without_a_credential_it_says_where_to_put_one(tmp_path: Path) -> None:
    command = (UNITS / "keyvigil-credentials", "true")
    done = tried(*command, cwd=tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert done.returncode == 2
    assert "/etc/keyvigil/credentials" in done.stderr
    assert "run this from a unit" in tried(*command, cwd=tmp_path).stderr


def test_the_crontab_reads_the_key_and_scans(tmp_path: Path) -> None:
    lines = [one for one in CRONTAB.read_text().splitlines() if not one.startswith("#")]
    (*_, entry) = lines
    schedule = entry.split()[:5]
    assert [re.fullmatch(r"\d+|\*", field) is not None for field in schedule] == [True] * 5
    assert "%" not in entry, "cron turns it into a line's end"
    command = entry.split(maxsplit=5)[5]
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "keyvigil.env").write_text("OPENAI_ADMIN_KEY=sk-admin-made-up\n")
    program = tmp_path / "keyvigil"
    program.write_text('#!/bin/sh\necho "$OPENAI_ADMIN_KEY" "$@"\n')
    program.chmod(0o755)
    said = run(
        "sh", "-c", command, cwd=tmp_path, HOME=str(tmp_path), PATH=f"{tmp_path}:/usr/bin:/bin"
    )
    assert said == (
        f"sk-admin-made-up scan --fail-on high --output html={tmp_path}/keyvigil/report.html"
        f" --output json={tmp_path}/keyvigil/report.json\n"
    )
