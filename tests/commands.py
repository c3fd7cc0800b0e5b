"""Other programs, run by tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, absent

UV = (Path(sys.executable).parent / "uv", "--system-certs")
"""Like pip, it trusts what the machine trusts."""


def tried(*command: str | Path, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end, whatever it says."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603 - our own commands
        [*map(str, command)],
        cwd=cwd,
        env={**kept, **extra},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run(*command: str | Path, cwd: Path, **extra: str) -> str:
    """Return what a command prints that must succeed."""
    done = tried(*command, cwd=cwd, **extra)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_sources(target: Path) -> None:
    """Copy what git would commit."""
    if shutil.which("git") is None:
        absent("there is no git on this machine")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
