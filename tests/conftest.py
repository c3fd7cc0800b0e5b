"""What every test can count on."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from scanner.sandbox.app import SandboxApp
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from tests.factories import NOW
from tests.support.examples import VARIABLE, examples, is_ordinary_run
from tests.support.prose import Prose

os.environ.pop("COLUMNS", None)  # workers of pytest are given 80; a pipe is as wide as we say

settings.register_profile(
    "any machine",
    deadline=None,  # how long an example takes depends on the machine
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=is_ordinary_run(),
    max_examples=examples(100),
)
settings.load_profile("any machine")

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def golden(path: Path, text: str) -> None:
    """Compare `text` with the file; KEYVIGIL_WRITE_GOLDEN=1 writes the file instead."""
    if os.environ.get("KEYVIGIL_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def absent(what: str) -> None:
    """Skip the test for want of something; where everything must be there, fail it."""
    if os.environ.get("KEYVIGIL_TEST_ALL"):
        pytest.fail(f"{what}, and KEYVIGIL_TEST_ALL is set")
    pytest.skip(what)


@pytest.fixture
def prose(request: pytest.FixtureRequest, tmp_path: Path) -> Prose:
    """Compares what people read with `golden/prose/` beside the test."""
    file = request.path.parent / "golden" / "prose" / f"{request.path.stem}.json"
    return Prose(file, request.node.name, tmp_path)


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """Let the commands that tests start be interrupted, also where this run itself is not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test can reach a real organization, whatever the shell holds."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "KEYVIGIL_")) and name not in {
            "KEYVIGIL_TEST_ALL",
            "KEYVIGIL_WRITE_GOLDEN",
            VARIABLE,
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium or Chrome on this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    absent("there is no Chromium on this machine")
    raise AssertionError


@pytest.fixture
def organization() -> SandboxOrganization:
    """A small seeded organization with a bit of everything."""
    return seeded_organization(seed=7, projects=9, keys_per_project=25, now=int(NOW.timestamp()))


@pytest.fixture
def sandbox_url(organization: SandboxOrganization) -> Iterator[str]:
    """The base URL at which `organization` is served."""
    with serving(SandboxApp(organization, clock=NOW.timestamp)) as url:
        yield url
