"""Alerts through the real command and the real slack-sdk, against a fake Slack."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.fake_slack.driving import PLAIN_TOKEN, TOKEN, Driven, stage
from tests.alerts.fake_slack.faults import ErrorAfter, SilentAfter
from tests.cli.running import COMMAND, Ran, environment, keyvigil, sandbox
from tests.store.making import let_lease_run_out
from tests.support.prose import Prose
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def organization() -> Iterator[dict[str, str]]:
    with sandbox("--projects", "2", "--keys-per-project", "6") as settings:
        yield settings


@pytest.fixture(scope="module")
def play() -> Iterator[Any]:
    with stage() as put_on:
        yield put_on


@pytest.fixture
def slack(play: Any) -> Driven:
    driven: Driven = play(now=time.time)
    return driven


@pytest.fixture
def own(organization: dict[str, str], slack: Driven, tmp_path: Path) -> dict[str, str]:
    """The environment of an operator with a Slack token and a channel."""
    return {
        **organization,
        "KEYVIGIL_STORE": str(tmp_path / "history.db"),
        "KEYVIGIL_SLACK_API_URL": slack.address.api_url,
        "KEYVIGIL_SLACK_TOKEN": TOKEN,
        "KEYVIGIL_SLACK_CHANNEL": "#alerts",
        "NO_PROXY": "127.0.0.1",
    }


def without(settings: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name not in names}


def test_with_a_token_and_a_channel_the_scan_sends_an_alert_with_its_report(
    own: dict[str, str], slack: Driven, tmp_path: Path, prose: Prose
) -> None:
    first = keyvigil("scan", env=own, cwd=tmp_path)
    assert first.code == 0
    prose(first.err)
    again = keyvigil("scan", env=own, cwd=tmp_path)
    assert (again.code, again.err) == (0, "")
    parents = [message for message in slack.fake.messages if not message.thread_ts]
    assert len(parents) == 1
    (page,) = slack.fake.files
    assert page.content.startswith(b"<!doctype html>")
    assert page.thread_ts == parents[0].ts


def test_a_dry_run_sends_no_alert(own: dict[str, str], slack: Driven, tmp_path: Path) -> None:
    assert keyvigil("scan", "--dry-run", env=own, cwd=tmp_path).code == 0
    assert slack.fake.calls == ()


def test_with_a_webhook_only_one_message_is_sent_to_it(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    settings = without(own, "KEYVIGIL_SLACK_TOKEN", "KEYVIGIL_SLACK_CHANNEL")
    settings["KEYVIGIL_SLACK_WEBHOOK"] = slack.address.webhook_url
    assert keyvigil("scan", env=settings, cwd=tmp_path).code == 0
    (message,) = slack.fake.messages
    assert message.via == "webhook"


def test_with_both_the_token_is_used(own: dict[str, str], slack: Driven, tmp_path: Path) -> None:
    settings = {**own, "KEYVIGIL_SLACK_WEBHOOK": slack.address.webhook_url}
    assert keyvigil("scan", env=settings, cwd=tmp_path).code == 0
    assert {message.via for message in slack.fake.messages} == {"api"}


def test_with_neither_no_alert_is_sent_and_no_message_is_printed(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    settings = without(own, "KEYVIGIL_SLACK_TOKEN", "KEYVIGIL_SLACK_CHANNEL")
    ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert slack.fake.calls == ()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("CHANNEL", "#nowhere", "channel_not_found"),
        ("CHANNEL", "#elsewhere", "not_in_channel"),
        ("CHANNEL", "#attic", "is_archived"),
        ("TOKEN", "xoxb-unknown", "invalid_auth"),
        ("TOKEN", PLAIN_TOKEN, "missing_scope"),
    ],
)
def test_an_error_of_slack_is_one_line_with_its_help_and_exit_4(
    own: dict[str, str], tmp_path: Path, name: str, value: str, code: str
) -> None:
    wrong = {**own, f"KEYVIGIL_SLACK_{name}": value}
    ran = keyvigil("scan", "--output", "json=report.json", env=wrong, cwd=tmp_path)
    assert ran.code == 4
    error, help_ = ran.err.strip().splitlines()[-2:]
    assert error.startswith("error: ")
    assert "'slack'" in error
    assert code in error
    assert help_.startswith("help: ")
    assert "xoxb-" not in ran.err
    assert json.loads((tmp_path / "report.json").read_text())["totals"]["keys"] > 0


def test_an_undelivered_alert_is_delivered_by_a_later_scan(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    assert keyvigil("scan", env={**own, "KEYVIGIL_SLACK_TOKEN": "xoxb-no"}, cwd=tmp_path).code == 4
    ran = keyvigil("scan", env=own, cwd=tmp_path)
    assert (ran.code, " 1 alert" in ran.err) == (0, True)
    assert len([message for message in slack.fake.messages if not message.thread_ts]) == 1


def test_an_incomplete_scan_outweighs_an_alert_that_was_not_delivered(
    own: dict[str, str], tmp_path: Path
) -> None:
    with sandbox("--deny", "users") as organization:
        settings = {**own, **organization, "KEYVIGIL_SLACK_CHANNEL": "#nowhere"}
        ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert ran.code == 3
    assert "'slack'" in ran.err


def test_after_a_kill_while_slack_is_silent_the_next_scan_sends_no_duplicate(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    slack.fake.fail("chat.postMessage", SilentAfter())
    settings = {**own, "KEYVIGIL_LEASE": "3600"}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "scan"], env=environment(settings), cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as process:
        until(lambda: bool(slack.fake.messages))
        process.kill()
    let_lease_run_out(settings["KEYVIGIL_STORE"])
    ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert ran.code == 0
    parents = [message for message in slack.fake.messages if not message.thread_ts]
    assert len(parents) == 1


def test_two_parallel_scans_send_one_message(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    processes = [
        subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan"],
            env=environment(own),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    codes = [process.wait() for process in processes]
    assert 0 in codes
    assert len([message for message in slack.fake.messages if not message.thread_ts]) == 1


def _tried(ran: Ran) -> list[str]:
    return [line.rstrip() for line in ran.out.splitlines()]


def test_a_test_message_reaches_each_route_and_is_marked_as_a_test(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    ran = keyvigil("alerts", "test", env=own, cwd=tmp_path)
    assert (ran.code, _tried(ran)) == (0, ["slack: delivered"])
    assert "This is a test" in slack.fake.messages[0].text
    assert not (tmp_path / "history.db").exists()


def test_a_test_names_the_scopes_that_the_app_lacks(own: dict[str, str], tmp_path: Path) -> None:
    settings = {**own, "KEYVIGIL_SLACK_TOKEN": PLAIN_TOKEN}
    ran = keyvigil("alerts", "test", env=settings, cwd=tmp_path)
    assert ran.code == 4
    assert any(line.startswith("  slack: ") and "files:write" in line for line in _tried(ran))
    assert "files:write" in ran.err


def test_a_preview_shows_the_alerts_and_sends_none(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    assert keyvigil("scan", env=own, cwd=tmp_path).code == 0
    before = len(slack.fake.calls)
    shown = keyvigil("alerts", "preview", env=own, cwd=tmp_path)
    assert shown.code == 0
    assert "slack (to #alerts):" in shown.out
    assert "Fix: " in shown.out
    blocks = keyvigil("alerts", "preview", "--json", env=own, cwd=tmp_path)
    first = json.loads(blocks.out)[0]["sent"][0]
    assert first["blocks"][0]["type"] == "header"
    assert list(slack.fake.messages[0].blocks) == first["blocks"]
    assert len(slack.fake.calls) == before


def test_routes_of_the_settings_file_receive_the_alerts_that_they_select(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    (tmp_path / "keyvigil.yaml").write_text(
        "alerts:\n  routes:\n"
        "    - { name: all, slack: '#alerts' }\n"
        "    - { name: nothing, slack: '#inner', rules: [no-such-rule] }\n"
        "    - { name: hook, slack_webhook: KEYVIGIL_SLACK_WEBHOOK, quiet: summary }\n"
    )
    settings = {**own, "KEYVIGIL_SLACK_WEBHOOK": slack.address.webhook_url}
    assert keyvigil("scan", env=settings, cwd=tmp_path).code == 0
    assert keyvigil("scan", env=settings, cwd=tmp_path).code == 0
    parents = [message for message in slack.fake.messages if not message.thread_ts]
    assert [message.via for message in parents].count("webhook") == 2
    assert [message.channel for message in parents if message.via == "api"] == ["C1"]


def test_a_failing_route_does_not_affect_the_others(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    (tmp_path / "keyvigil.yaml").write_text(
        "alerts:\n  routes:\n"
        "    - { name: away, slack: '#nowhere' }\n"
        "    - { name: hook, slack_webhook: KEYVIGIL_SLACK_WEBHOOK }\n"
    )
    settings = {**own, "KEYVIGIL_SLACK_WEBHOOK": slack.address.webhook_url}
    slack.fake.fail("webhook", ErrorAfter())
    ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert ran.code == 4
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert [any(f"'{name}'" in line for line in errors) for name in ("away", "hook")] == [True] * 2
    assert [message.via for message in slack.fake.messages] == ["webhook"]


def test_without_a_history_no_alert_can_be_sent(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    ran = keyvigil("scan", "--store", "none", env=own, cwd=tmp_path)
    assert ran.code == 2
    assert "--store none" in ran.err
    assert slack.fake.calls == ()
