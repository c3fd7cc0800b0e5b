"""Stopping a scan of several organizations: collected data is recorded, the rest is skipped."""

import asyncio
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from scanner.daemon.account import read_account
from scanner.sandbox.faults import Faults, FaultyApp
from scanner.sandbox.server import serving
from tests.cli.running import COMMAND, environment, keyvigil
from tests.cli.test_many import ENV, Watched, app
from tests.store.making import take_over
from tests.support.prose import Prose
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow
SIGNED = {"KEYVIGIL_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}
SINCE = "2020-01-01T00:00:00Z"


def test_sigterm_ends_collections_and_skips_the_other_organizations(
    tmp_path: Path, prose: Prose
) -> None:
    slow = FaultyApp(app(1), {"api_keys": Faults(latency=3600)})
    watched = Watched(app=slow, name="a", asked=[])
    with serving(watched) as url_a, serving(app(2)) as url_b:
        (tmp_path / "keyvigil.yaml").write_text(
            "parallel: 1\nstore: { url: history.db }\norganizations:\n"
            f"  - {{ name: a, key_env: A_KEY, base_url: '{url_a}' }}\n"
            f"  - {{ name: b, key_env: B_KEY, base_url: '{url_b}' }}\n"
        )
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan", "--account", "account.json"],
            cwd=tmp_path,
            env=environment(ENV),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watched.wait_for("api_keys")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    prose(err[err.index("Organization b") :])
    assert "not scanned" in out
    assert read_account(tmp_path / "account.json") is None
    (night,) = json.loads(keyvigil("history", "--json", cwd=tmp_path, env=ENV).out)
    assert (night["organization"], night["complete"]) == ("a", False)


def test_a_lost_lock_stops_its_own_collection_and_no_other(tmp_path: Path) -> None:
    slow = FaultyApp(app(1), {"api_keys": Faults(latency=3600)})
    asked = threading.Event()
    watched = Watched(app=slow, name="a", asked=[], first=asked.set)
    other = Watched(app=app(2), name="b", asked=[], first=lambda: asked.wait(PATIENCE))
    with serving(watched) as url_a, serving(other) as url_b:
        (tmp_path / "keyvigil.yaml").write_text(
            "parallel: 2\nstore: { url: history.db, lease: 1 }\norganizations:\n"
            f"  - {{ name: a, key_env: A_KEY, base_url: '{url_a}' }}\n"
            f"  - {{ name: b, key_env: B_KEY, base_url: '{url_b}' }}\n"
        )
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan", "--account", "account.json"],
            cwd=tmp_path,
            env=environment(ENV),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        watched.wait_for("api_keys")
        take_over(str(tmp_path / "history.db"), "a")
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    assert any(line.startswith("error: ") and " of a " in line for line in err.splitlines())
    account = read_account(tmp_path / "account.json")
    assert account is not None
    assert (account.fate, account.organization) == ("locked", "a, b")
    (night,) = json.loads(keyvigil("history", "--json", cwd=tmp_path, env=ENV).out)
    assert (night["organization"], night["complete"]) == ("b", True)


def test_each_organization_is_skipped_separately_if_it_was_scanned_already(tmp_path: Path) -> None:
    with serving(app(1)) as url_a, serving(app(2)) as url_b:
        (tmp_path / "keyvigil.yaml").write_text(
            "store: { url: history.db }\nmetrics_textfile: 'm-{organization}.prom'\n"
            "organizations:\n"
            f"  - {{ name: a, key_env: A_KEY, base_url: '{url_a}' }}\n"
            f"  - {{ name: b, key_env: B_KEY, base_url: '{url_b}' }}\n"
        )
        first = keyvigil("scan", "--only", "a", cwd=tmp_path, env=ENV)
        assert first.code == 0, first.err
        before = (tmp_path / "m-a.prom").read_bytes()
        both = keyvigil(
            *("scan", "--unless-since", SINCE, "--account", "account.json"), cwd=tmp_path, env=ENV
        )
    assert both.code == 0, both.err
    assert both.err.startswith("Skipped: ")
    assert "scanned already" in both.out
    account = read_account(tmp_path / "account.json")
    assert account is not None
    assert (account.fate, account.organization, account.is_complete) == ("recorded", "a, b", True)
    listed = json.loads(keyvigil("history", "--json", cwd=tmp_path, env=ENV).out)
    assert sorted(night["organization"] for night in listed) == ["a", "b"]
    assert (tmp_path / "m-a.prom").read_bytes() == before
    assert (tmp_path / "m-b.prom").exists()


async def never(_scope: Any, _receive: Any, _send: Any) -> None:
    """Receive requests and never respond."""
    await asyncio.Event().wait()


def test_all_scans_are_recorded_before_a_signal_during_the_alerts(
    tmp_path: Path, prose: Prose
) -> None:
    told = threading.Event()
    listener = Watched(app=never, name="webhook", asked=[], first=told.set)
    with serving(app(1)) as url_a, serving(app(2)) as url_b, serving(listener) as hook:
        (tmp_path / "keyvigil.yaml").write_text(
            "parallel: 2\nstore: { url: history.db }\norganizations:\n"
            f"  - {{ name: a, key_env: A_KEY, base_url: '{url_a}' }}\n"
            f"  - {{ name: b, key_env: B_KEY, base_url: '{url_b}' }}\n"
        )
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan"],
            cwd=tmp_path,
            env=environment({**ENV, "KEYVIGIL_WEBHOOK_URL": f"{hook}/hook", **SIGNED}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert told.wait(PATIENCE)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    prose(err.splitlines()[-1])
    assert process.returncode == 143, err
    listed = json.loads(keyvigil("history", "--json", cwd=tmp_path, env=ENV).out)
    assert [(night["organization"], night["complete"]) for night in listed] == [
        ("a", True),
        ("b", True),
    ]


@pytest.mark.parametrize("organizations", [("a",), ("a", "b")])
@pytest.mark.parametrize("output", [(), ("--combined", "json=-")])
def test_a_closed_output_pipe_stops_no_scan_no_report_and_no_alert(
    tmp_path: Path, organizations: tuple[str, ...], output: tuple[str, ...]
) -> None:
    listener = Watched(app=taken, name="webhook", asked=[])
    with serving(app(1)) as url, serving(listener) as hook:
        listed = [f"{{ name: {o}, key_env: A_KEY, base_url: '{url}' }}" for o in organizations]
        (tmp_path / "keyvigil.yaml").write_text(
            "store: { url: history.db }\noutputs: { html: '{organization}.html' }\n"
            f"organizations: [{', '.join(listed)}]\n"
        )
        ours, theirs = os.pipe()
        os.close(ours)
        ran = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, "scan", *output],
            cwd=tmp_path,
            env=environment({**ENV, "KEYVIGIL_WEBHOOK_URL": f"{hook}/hook", **SIGNED}),
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(theirs)
    assert (ran.returncode, "Traceback" in ran.stderr) == (141, False), ran.stderr
    nights = json.loads(keyvigil("history", "--json", cwd=tmp_path, env=ENV).out)
    assert tuple(night["organization"] for night in nights) == organizations
    assert len(listener.asked) == len(organizations)
    assert len(list(tmp_path.glob("*.html"))) == len(organizations)


async def taken(_scope: Any, receive: Any, send: Any) -> None:
    """Receive the whole request and respond with 200."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
