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
    """What is set in the environment of somebody who has a token and a channel."""
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


def test_with_a_token_and_a_channel_the_scan_is_told_with_its_report(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    first = keyvigil("scan", env=own, cwd=tmp_path)
    assert (first.code, first.err.strip()) == (0, "Delivered 1 alert.")
    again = keyvigil("scan", env=own, cwd=tmp_path)
    assert (again.code, again.err) == (0, "")
    parents = [message for message in slack.fake.messages if not message.thread_ts]
    assert len(parents) == 1
    (page,) = slack.fake.files
    assert page.content.startswith(b"<!doctype html>")
    assert page.thread_ts == parents[0].ts


def test_a_dry_run_tells_nobody(own: dict[str, str], slack: Driven, tmp_path: Path) -> None:
    assert keyvigil("scan", "--dry-run", env=own, cwd=tmp_path).code == 0
    assert slack.fake.calls == ()


def test_with_a_webhook_only_one_message_comes_by_it(
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


def test_with_neither_nobody_is_told_and_nothing_is_said(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    settings = without(own, "KEYVIGIL_SLACK_TOKEN", "KEYVIGIL_SLACK_CHANNEL")
    ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert slack.fake.calls == ()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CHANNEL", "#nowhere", ("channel_not_found", "Check the channel's name")),
        ("CHANNEL", "#elsewhere", ("not_in_channel", "/invite @KeyVigil")),
        ("CHANNEL", "#attic", ("is_archived", "not archived")),
        ("TOKEN", "xoxb-unknown", ("invalid_auth", "copy the bot token anew")),
        ("TOKEN", PLAIN_TOKEN, ("missing_scope", "Add the scope files:write")),
    ],
)
def test_what_slack_refuses_is_one_line_with_its_mend_and_exit_4(
    own: dict[str, str], tmp_path: Path, name: str, value: str, told: tuple[str, str]
) -> None:
    wrong = {**own, f"KEYVIGIL_SLACK_{name}": value}
    ran = keyvigil("scan", "--output", "json=report.json", env=wrong, cwd=tmp_path)
    assert ran.code == 4
    error, mend = ran.err.strip().splitlines()[-2:]
    assert error.startswith(
        f"error: The alert for the route 'slack' was not delivered: Slack refused: {told[0]}"
    )
    assert told[1] in mend
    assert "xoxb-" not in ran.err
    assert json.loads((tmp_path / "report.json").read_text())["totals"]["keys"] > 0


def test_what_was_not_delivered_is_told_by_the_next_scan_that_can(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    assert keyvigil("scan", env={**own, "KEYVIGIL_SLACK_TOKEN": "xoxb-no"}, cwd=tmp_path).code == 4
    ran = keyvigil("scan", env=own, cwd=tmp_path)
    assert (ran.code, ran.err.strip()) == (0, "Delivered 1 alert.")
    assert len([message for message in slack.fake.messages if not message.thread_ts]) == 1


def test_an_incomplete_scan_outweighs_an_alert_that_was_not_delivered(
    own: dict[str, str], tmp_path: Path
) -> None:
    with sandbox("--deny", "users") as organization:
        settings = {**own, **organization, "KEYVIGIL_SLACK_CHANNEL": "#nowhere"}
        ran = keyvigil("scan", env=settings, cwd=tmp_path)
    assert ran.code == 3
    assert "was not delivered" in ran.err


def test_killed_while_slack_is_silent_the_next_scan_tells_it_once(
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


def test_two_scans_at_once_are_one_message(
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


def test_a_test_reaches_each_route_and_says_that_it_is_one(
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
    assert "  slack: the scope files:write is needed, to attach the report." in _tried(ran)
    assert "Add the scope files:write" in ran.err


def test_a_preview_shows_what_is_told_and_sends_nothing(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    assert keyvigil("scan", env=own, cwd=tmp_path).code == 0
    before = len(slack.fake.calls)
    shown = keyvigil("alerts", "preview", env=own, cwd=tmp_path)
    assert shown.code == 0
    assert "slack to #alerts:" in shown.out
    assert "Fix: " in shown.out
    blocks = keyvigil("alerts", "preview", "--json", env=own, cwd=tmp_path)
    first = json.loads(blocks.out)[0]["sent"][0]
    assert first["blocks"][0]["type"] == "header"
    assert list(slack.fake.messages[0].blocks) == first["blocks"]
    assert len(slack.fake.calls) == before


def test_routes_of_the_settings_file_are_told_what_they_ask_for(
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


def test_one_route_that_fails_keeps_no_other_from_hearing(
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
    assert ran.err.count("was not delivered") == 2
    assert [message.via for message in slack.fake.messages] == ["webhook"]


def test_without_a_history_nobody_can_be_told(
    own: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    ran = keyvigil("scan", "--store", "none", env=own, cwd=tmp_path)
    assert ran.code == 2
    assert "Leave out --store none, or the alerts." in ran.err
    assert slack.fake.calls == ()
