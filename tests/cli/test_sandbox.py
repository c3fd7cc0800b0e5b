import re
import signal
import socket
import subprocess

import httpx2
import pytest

from tests.cli.running import COMMAND, environment, keyvigil, sandbox
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow


def test_it_serves_on_loopback_what_it_tells_to_set() -> None:
    with sandbox("--projects", "3", "--keys-per-project", "2") as settings:
        assert settings["OPENAI_BASE_URL"].startswith("http://127.0.0.1:")
        headers = {"authorization": f"Bearer {settings['OPENAI_ADMIN_KEY']}"}
        url = f"{settings['OPENAI_BASE_URL']}/organization/projects?include_archived=true"
        assert len(httpx2.get(url, headers=headers).json()["data"]) == 3


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = keyvigil("sandbox", "serve", "--port", str(port))
    assert ran.code == 2
    assert ran.err.startswith(f"error: The sandbox cannot listen on 127.0.0.1:{port}: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_stops_quietly(number: signal.Signals) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "sandbox", "serve", "--projects", "1"],
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip().partition("=")[2]
        assert process.stderr.readline().startswith("Serving 15 keys")
        assert httpx2.get(f"{url}/organization/users").status_code == 401
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert process.stderr.read() == ""


def test_a_bad_night_is_scanned_to_an_incomplete_report() -> None:
    with sandbox("--projects", "3", "--rate", "200", "--latency-ms", "1", "--deny", "users") as env:
        ran = keyvigil("scan", "--deadline", "1", "--concurrency", "4", env=env)
    assert ran.code == 3
    assert "users unavailable: GET /organization/users " in ran.out
    assert "Undetermined: owner-left-org for " in ran.out


def test_a_listing_that_does_not_exist_cannot_be_denied() -> None:
    ran = keyvigil("sandbox", "serve", "--deny", "user")
    assert ran.code == 2
    assert "--deny user: unknown listing or scope; did you mean 'users'?" in ran.err


def test_one_listing_has_faults_of_its_own() -> None:
    options = ("--fail", "api_keys=0.2", "--fail", "users=1", "--latency-ms", "1", "--drift", "0.5")
    with sandbox("--projects", "3", *options, "--quirk", "mislabelled-admin-keys") as env:
        ran = keyvigil("scan", "--concurrency", "4", env=env)
    assert ran.code == 3
    assert re.search("users (unavailable|partial): GET /organization/users", ran.out)
    assert "api_keys unavailable" not in ran.out


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--fail", "2"), "--fail 2: '2' is not a number from 0 to 1."),
        (
            ("--rate", "users=often"),
            "--rate users=often: 'often' is not a number from 1 to 1,000,000.",
        ),
        (("--stall", "user=1"), "--stall user=1: unknown listing 'user'; did you mean 'users'?"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(option: tuple[str, str], said: str) -> None:
    ran = keyvigil("sandbox", "serve", *option)
    assert ran.code == 2
    assert said in ran.err
