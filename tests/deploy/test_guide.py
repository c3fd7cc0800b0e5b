"""The guide: what it names is there, and what it says to type does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import copy_sources, run
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "deployment.md").read_text()


def block(heading: str) -> str:
    """Return the first block of commands below a heading."""
    _, below = GUIDE.split(f"\n## {heading}\n", 1)
    return below.split("```\n")[1]


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"\bdeploy/[\w./-]*\w", GUIDE)) - {"deploy/.env", "deploy/keyvigil"}
    assert len(named) > 12
    for name in named:
        assert (ROOT / name).exists(), name


def test_everything_in_deploy_is_named() -> None:
    for entry in sorted((ROOT / "deploy").iterdir()):
        if entry.name != "slack":  # docs/alerts.md has it
            assert f"deploy/{entry.name}" in GUIDE, entry.name


def test_its_headings_are_where_its_table_leads() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    }
    assert set(re.findall(r"\(#([a-z-]+)\)", GUIDE)) <= headings


def test_it_says_for_every_way_how_a_new_key_is_taken() -> None:
    _, below = GUIDE.split("\n## Replacing the key\n", 1)
    rows = dict(
        re.findall(r"^\| (.+?) \| .+? \| (.+) \|$", below.split("\n## ", 1)[0], re.MULTILINE)
    )
    for way in ("systemd", "cron", "GitHub Actions", "plain manifests, the chart's CronJob"):
        assert rows[way].startswith("nothing"), way
    for way, restart in (
        ("Compose", "up --detach"),
        ("the chart with `mode: serve`", "rollout restart"),
        ("a service that runs `keyvigil serve`", "systemctl restart"),
    ):
        assert restart in rows[way], way


@pytest.mark.slow
def test_the_copy_of_a_history_is_one(tmp_path: Path) -> None:
    program = (sys.executable, "-m", "scanner")
    run(*program, "demo", cwd=tmp_path)
    (tmp_path / "out" / "demo" / "demo-history.db").rename(tmp_path / "history.db")
    (command,) = (line for line in GUIDE.splitlines() if line.startswith("(umask 077; python3"))
    run("sh", "-c", command, cwd=tmp_path)
    copied = tmp_path / "backup.db"
    assert copied.stat().st_mode & 0o777 == 0o600
    listed = (*program, "history", "--store")
    assert run(*listed, copied, cwd=tmp_path) == run(*listed, "history.db", cwd=tmp_path)


@pytest.mark.slow
def test_what_it_types_for_systemd_installs_what_the_units_start(tmp_path: Path) -> None:
    source = tmp_path / "source"
    copy_sources(source)
    (tmp_path / "etc" / "systemd" / "system").mkdir(parents=True)
    typed, _ = block("systemd").split("systemctl", 1)
    commands = re.sub(r"(?<!\S)/(etc|opt)/", rf"{tmp_path}/\1/", typed)
    done = subprocess.run(  # noqa: S603 - the guide's own words
        ["/bin/sh", "-e", "-c", commands],
        cwd=source,
        input="sk-admin-made-up\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    key = tmp_path / "etc" / "keyvigil" / "credentials" / "OPENAI_ADMIN_KEY"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("sk-admin-made-up\n", 0o600)
    assert key.parent.stat().st_mode & 0o777 == 0o700
    installed = (tmp_path / "etc" / "systemd" / "system" / "keyvigil.service").read_text()
    starts = re.findall(r"(/(?:opt|etc)/keyvigil\S*)", installed)
    assert len(starts) == 4
    for path in starts:
        assert (tmp_path / path.removeprefix("/")).exists(), path
    program = tmp_path / "opt" / "keyvigil" / "bin" / "keyvigil"
    assert run(program, "--version", cwd=tmp_path).startswith("keyvigil ")
