"""A fake Slack, a store, and a certificate that nobody vouches for."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.keeping import Keeping
from tests.alerts.fake_slack.driving import stage
from tests.alerts.fake_slack.workspace import Pace
from tests.alerts.nights import Nights, Play
from tests.conftest import absent


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Puts a new fake Slack on, behind one address for a whole file."""
    with stage() as put_on:
        yield put_on


@pytest.fixture
def nights(play: Play, tmp_path: Path) -> Nights:
    """Nights over a new store and a Slack that keeps its pace."""
    store = SqlStore(open_database(str(tmp_path / "h.db")), keeping=Keeping(), lease=30)
    return Nights(store=store, slack=play(pace=Pace()))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for this machine, signed by itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        absent("there is no openssl on this machine")
        raise AssertionError
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate, both = (folder / name for name in ("key.pem", "certificate.pem", "both.pem"))
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", str(key), "-out", str(certificate))
    command = [openssl, "req", "-x509", *kind, *subject, *files]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both
