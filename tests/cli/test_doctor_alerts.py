"""`keyvigil doctor` beside a fake Slack and a real mail server: nothing is sent that is seen."""

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


def test_slack_as_it_should_be_hears_nothing(
    with_slack: dict[str, str], slack: Driven, tmp_path: Path
) -> None:
    code, lines = examined(with_slack, tmp_path)
    assert code == 0
    assert "chat:write" in lines["slack token"][1]
    assert lines["route slack"] == ("ok", "the app is in the channel #alerts", "")
    assert slack.fake.messages == ()
    assert {call.method for call in slack.fake.calls} == {"auth.test", "conversations.list"}


@pytest.mark.parametrize(
    ("channel", "said", "mend"),
    [
        ("#nowhere", "the app sees no channel #nowhere", "Check its name"),
        ("#attic", "the app sees no channel #attic", "not archived"),
        ("#elsewhere", "the app is not in the channel #elsewhere", "/invite @KeyVigil"),
        ("C000000002", "the app is not in the channel C000000002", "/invite @KeyVigil"),
        (
            "C000000003",
            "the channel C000000003 is archived",
            "Name a channel that is not archived.",
        ),
        ("C000000009", "Slack refused: channel_not_found.", "Check the channel's name"),
    ],
)
def test_a_channel_that_cannot_be_told(
    with_slack: dict[str, str], tmp_path: Path, channel: str, said: str, mend: str
) -> None:
    code, lines = examined({**with_slack, "KEYVIGIL_SLACK_CHANNEL": channel}, tmp_path)
    assert (code, problems(lines)) == (3, {"route slack"})
    assert lines["route slack"][1] == said
    assert mend in lines["route slack"][2]


def test_a_token_that_slack_does_not_take(with_slack: dict[str, str], tmp_path: Path) -> None:
    code, lines = examined({**with_slack, "KEYVIGIL_SLACK_TOKEN": "xoxb-unknown"}, tmp_path)
    assert (code, problems(lines)) == (3, {"slack token"})
    assert lines["slack token"][1] == "Slack refused: invalid_auth."
    assert "copy the bot token anew" in lines["slack token"][2]
    assert lines["route slack"][:2] == ("not checked", "Slack does not take the token")


def test_a_token_without_the_scopes_is_told_each(
    with_slack: dict[str, str], tmp_path: Path
) -> None:
    env = {**with_slack, "KEYVIGIL_SLACK_TOKEN": PLAIN_TOKEN}
    ran = keyvigil("doctor", env=env, cwd=tmp_path)
    assert ran.code == 3
    assert "the Slack app lacks the scope files:write, to attach the report" in ran.out
    assert "help: Add the scope files:write to the app (OAuth & Permissions)" in ran.out
    assert (
        "not checked  route slack       the app may not look up channels, so not #alerts" in ran.out
    )


def test_mail_is_tried_up_to_the_door(own: dict[str, str], tmp_path: Path) -> None:
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
    assert "Check the user and the password" in of_wrong["route email"][2]
    assert set(post.commands) == {"AUTH"}
    assert post.arrived == []


def test_what_only_a_message_would_tell_is_not_checked(own: dict[str, str], tmp_path: Path) -> None:
    env = {
        **own,
        "KEYVIGIL_SLACK_WEBHOOK": "https://hooks.slack.com/made-up-secret",
        "KEYVIGIL_PING_URL": "https://127.0.0.1:9/made-up-secret",
    }
    code, lines = examined(env, tmp_path)
    assert code == 0
    state, _, mend = lines["route slack-webhook"]
    assert (state, mend) == ("not checked", "keyvigil alerts test --route slack-webhook sends one.")
    assert lines["pings"][0] == "not checked"
