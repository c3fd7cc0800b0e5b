"""A fake Slack with the SDK's own clients at its door, none of which retries by itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse, WebClient
from slack_sdk.webhook import WebhookClient

from scanner.sandbox.app import AsgiApp, Receive, Scope, Send
from tests.alerts.fake_slack.fake_slack import Address, FakeSlack, serving_slack
from tests.alerts.fake_slack.workspace import Channel, User

TOKEN = "xoxb-all-scopes"
PLAIN_TOKEN = "xoxb-write-only"
SCOPES = frozenset(
    {
        "channels:history",
        "channels:read",
        "chat:write",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "users:read.email",
    }
)
CHANNELS = (
    Channel(id="C1", name="alerts", members=("U1",)),
    Channel(id="C2", name="elsewhere", is_member=False),
    Channel(id="C3", name="attic", is_archived=True),
    Channel(id="G1", name="inner", is_private=True),
    Channel(id="G2", name="closed", is_private=True, is_member=False),
)
USERS = (
    User(id="U1", email="ada@example.com", name="ada"),
    User(id="U2", email="bob@example.com", name="bob"),
)


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@dataclass(frozen=True, kw_only=True)
class Driven:
    """A fake Slack, where it listens, its clock, and clients for it."""

    fake: FakeSlack
    address: Address
    clock: Clock

    def client(self, token: str | None = TOKEN, **options: Any) -> WebClient:
        """A client that does not retry, as the product's must not."""
        options = {"retry_handlers": [], "timeout": 5, **options}
        return WebClient(token=token, base_url=self.address.api_url, **options)

    def post(self, channel: str = "C1", **arguments: Any) -> SlackResponse:
        """Post a message, `hello` unless it says something else."""
        return self.client().chat_postMessage(channel=channel, **{"text": "hello", **arguments})

    def webhook(self) -> WebhookClient:
        """A client of the webhook."""
        return WebhookClient(self.address.webhook_url, retry_handlers=[], timeout=5)


class Stage:
    """One address for one fake Slack after the other: a server takes a while to stop."""

    def __init__(self) -> None:
        self._fake: AsgiApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the fake that plays now."""
        assert self._fake is not None
        await self._fake(scope, receive, send)

    def play(self, address: Address, **options: Any) -> Driven:
        """Put a new fake Slack on, without pace; `options` are FakeSlack's."""
        clock = Clock()
        settings = {
            "tokens": {TOKEN: SCOPES, PLAIN_TOKEN: frozenset({"chat:write"})},
            "channels": {channel.id: channel for channel in CHANNELS},
            "users": USERS,
            "pace": None,
            "clock": clock,
            "now": clock,
        }
        fake = FakeSlack(**{**settings, **options})
        self._fake = fake
        return Driven(fake=fake, address=address, clock=clock)


@contextmanager
def stage() -> Iterator[Callable[..., Driven]]:
    """Serve while the context lasts; yields what puts a new fake Slack on."""
    own = Stage()
    with serving_slack(own) as address:
        yield partial(own.play, address)


@contextmanager
def refused(code: str, **expected: Any) -> Iterator[None]:
    """Expect Slack's refusal with this code, and these fields in its answer."""
    with pytest.raises(SlackApiError) as caught:
        yield
    answer = caught.value.response
    assert answer["error"] == code
    assert {name: answer[name] for name in expected} == expected
