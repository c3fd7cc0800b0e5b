"""The programs that judge what deploy/ holds."""

import sys
from pathlib import Path

import pytest

from tests.commands import UV, tried
from tests.conftest import absent

LOCK = Path(__file__).parent / "tools.lock"


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of tools.lock: they are not in every environment."""
    home = tmp_path_factory.mktemp("tools")
    made = tried(*UV, "venv", "--quiet", "--python", sys.executable, "venv", cwd=home)
    install = (*UV, "pip", "install", "--quiet", "--python", "venv/bin/python", "--require-hashes")
    filled = tried(*install, "-r", LOCK, cwd=home)
    if made.returncode or filled.returncode:
        absent(f"{LOCK.name} cannot be installed: {made.stderr}{filled.stderr}")
    return home / "venv" / "bin"
