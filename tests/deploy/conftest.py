"""The programs that judge what deploy/ holds."""

import sys
from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from deploy.release.locked import ReleaseError, install
from tests.commands import UV, tried
from tests.conftest import absent

LOCK = Path(__file__).parent / "tools.lock"
Wheels = Mapping[str, Distribution]


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


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """The locked run-time distributions as the image installs them, by name."""
    try:
        return install(tmp_path_factory.mktemp("wheels"))
    except ReleaseError as error:
        absent(str(error))
        raise
