"""What people install: the wheel, made from the sdist, in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, absent

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **extra: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 - our own commands
        [*map(str, command)],
        cwd=cwd,
        env={**kept, **extra},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel from what git would commit, without a network."""
    if shutil.which("git") is None:
        absent("there is no git on this machine")
    source = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_the_wheel_carries_the_policies_and_the_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("policies", "reports"):
        for path in (ROOT / folder).iterdir():
            assert f"scanner/_bundled/{folder}/{path.name}" in names
    assert not [name for name in names if name.startswith("tests")]


def test_installed_anywhere_it_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    run(uv, "venv", "--quiet", "--python", sys.executable, "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    install = (uv, "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=tmp_path)
    run(*install, "--no-deps", "--no-index", wheel, cwd=tmp_path)
    out = run(tmp_path / "fresh" / "bin" / "keyvigil", "demo", cwd=tmp_path)
    assert "9 of 14 keys break the policy" in out
    report = json.loads((tmp_path / "out" / "demo" / "report.json").read_text())
    assert report["scan"]["complete"] is True
    where = run(python, "-c", "import scanner; print(scanner.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))
