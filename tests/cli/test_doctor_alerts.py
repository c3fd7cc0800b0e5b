"""`keyvigil doctor` with a fake Slack and a real mail server: no visible message is sent."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.fake_slack.driving import CHANNELS, PLAIN_TOKEN, TOKEN, Driven, stage
from tests.alerts.fake_slack.workspace import Channel
from tests.alerts.mail_server import Post, serving_mail
from tests.cli.examined import examined, problems
from tests.cli.running import keyvigil
from tests.support.prose import Prose

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def play() -> Iterator[Any]:
    with stage() as put_on:
        yield put_on


@pytest.fixture
def slack(play: Any) -> Driven:
    more = (
        Channel(id="C000000002", name="other", is_member=False),
        Channel(id="C000000003", name="loft", is_archived=True),
    )
    driven: Driven = play(now=time.time, channels={one.id: one for one in (*CHANNELS, *more)})
    return driven


@pytest.fixture
def with_slack(own: dict[str, str], slack: Driven) -> dict[str, str]:
    return {
        **own,
        "KEYVIGIL_SLACK_API_URL": slack.address.api_url,
        "KEYVIGIL_SLACK_TOKEN": TOKEN,
        "KEYVIGIL_SLACK_CHANNEL": "#alerts",
        "NO_PROXY": "127.0.0.1",
    }


def test_a_working_slack_route_receives_no_message(
    with_slack: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    code, lines = examined(with_slack, tmp_path)
    assert code == 0
    assert "chat:write" in lines["slack token"][1]
    assert lines["route slack"][0] == "ok"
    assert "#alerts" in lines["route slack"][1]
    assert slack.fake.messages == ()
    assert {call.method for call in slack.fake.calls} == {"auth.test", "conversations.list"}


@pytest.mark.parametrize(
    "channel", ["#nowhere", "#attic", "#elsewhere", "C000000002", "C000000003", "C000000009"]
)
def test_a_channel_that_receives_no_messages_is_a_problem(
    with_slack: dict[str, str], tmp_path: Path, channel: str, prose: Prose
) -> None:
    code, lines = examined({**with_slack, "KEYVIGIL_SLACK_CHANNEL": channel}, tmp_path)
    assert (code, problems(lines)) == (3, {"route slack"})
    prose("\n".join(lines["route slack"][1:]))


def test_a_token_that_slack_does_not_accept(with_slack: dict[str, str], tmp_path: Path) -> None:
    code, lines = examined({**with_slack, "KEYVIGIL_SLACK_TOKEN": "xoxb-unknown"}, tmp_path)
    assert (code, problems(lines)) == (3, {"slack token"})
    assert "invalid_auth" in lines["slack token"][1]
    assert lines["route slack"][0] == "not checked"


def test_each_missing_scope_of_a_token_is_a_problem(
    with_slack: dict[str, str], tmp_path: Path
) -> None:
    env = {**with_slack, "KEYVIGIL_SLACK_TOKEN": PLAIN_TOKEN}
    ran = keyvigil("doctor", env=env, cwd=tmp_path)
    assert ran.code == 3
    lines = ran.out.splitlines()
    place = next(
        n
        for n, line in enumerate(lines)
        if line.startswith("problem      route slack") and "files:write" in line
    )
    assert "files:write" in lines[place + 1]
    assert any(line.startswith("not checked  route slack ") and "#alerts" in line for line in lines)


def test_mail_is_checked_without_sending_a_message(own: dict[str, str], tmp_path: Path) -> None:
    post = Post("ada", "made-up-secret")
    with serving_mail(post) as port:
        env = {
            **own,
            "KEYVIGIL_MAIL_FROM": "scan@example.com",
            "KEYVIGIL_MAIL_TO": "ada@example.com",
            "KEYVIGIL_SMTP_URL": f"smtp://ada:made-up-secret@127.0.0.1:{port}",
        }
        code, lines = examined(env, tmp_path)
        wrong = {**env, "KEYVIGIL_SMTP_URL": f"smtp://ada:wrong@127.0.0.1:{port}"}
        refused, of_wrong = examined(wrong, tmp_path)
    assert code == 0
    assert lines["route email"][0] == "ok"
    assert (refused, problems(of_wrong)) == (3, {"route email"})
    assert of_wrong["route email"][2]
    assert set(post.commands) == {"AUTH"}
    assert post.arrived == []


def test_webhooks_and_pings_are_not_checked(own: dict[str, str], tmp_path: Path) -> None:
    env = {
        **own,
        "KEYVIGIL_SLACK_WEBHOOK": "https://hooks.slack.com/made-up-secret",
        "KEYVIGIL_PING_URL": "https://127.0.0.1:9/made-up-secret",
    }
    code, lines = examined(env, tmp_path)
    assert code == 0
    state, _, help_ = lines["route slack-webhook"]
    assert state == "not checked"
    assert "keyvigil alerts test --route slack-webhook" in help_
    assert lines["pings"][0] == "not checked"
