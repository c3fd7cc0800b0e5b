"""Fixtures of command tests, and an environment in which every check passes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.server import serving
from tests.alerts.conftest import certificate

__all__ = ["certificate", "own"]


@pytest.fixture
def own(organization: SandboxOrganization, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which every check passes, the clock of the API included."""
    with serving(SandboxApp(organization)) as url:
        yield {
            "OPENAI_ADMIN_KEY": SANDBOX_KEY,
            "OPENAI_BASE_URL": url,
            "KEYVIGIL_STORE": str(tmp_path / "history.db"),
        }
