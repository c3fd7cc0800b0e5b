"""What people install: the wheel, made from the sdist, in an environment of its own."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from tests.commands import UV, copy_sources, run
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel from what git would commit, without a network."""
    source = tmp_path_factory.mktemp("source")
    copy_sources(source)
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
    run(*UV, "venv", "--quiet", "--python", sys.executable, "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    install = (*UV, "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=tmp_path)
    run(*install, "--no-deps", "--no-index", wheel, cwd=tmp_path)
    out = run(tmp_path / "fresh" / "bin" / "keyvigil", "demo", cwd=tmp_path)
    assert "9 of 14 keys " in out
    report = json.loads((tmp_path / "out" / "demo" / "report.json").read_text())
    assert report["scan"]["complete"] is True
    where = run(python, "-c", "import scanner; print(scanner.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))
