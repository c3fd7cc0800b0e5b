"""A fake Slack over real HTTP on loopback, for the real slack-sdk to talk to."""

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from scanner.sandbox.app import AsgiApp, Receive, Scope, Send
from scanner.sandbox.server import serving
from scanner.sandbox.torn import Cut
from tests.alerts.fake_slack import chat, conversations, uploads, webhook
from tests.alerts.fake_slack.faults import (
    ApiError,
    ApiErrorAfter,
    ErrorAfter,
    ErrorBefore,
    Fault,
    RateLimited,
    ResetAfter,
    SilentAfter,
    TruncatedAfter,
)
from tests.alerts.fake_slack.request import Body, Request, SlackError, read
from tests.alerts.fake_slack.workspace import (
    BOT_USER,
    Channel,
    File,
    Message,
    Pace,
    Ping,
    User,
    Workspace,
)

API: Final = "/api/"
WEBHOOK: Final = "webhook"
UPLOAD: Final = "upload"

METHODS: Final[Mapping[str, Callable[[Workspace, Request], Body]]] = {
    "chat.postMessage": chat.post_message,
    "chat.update": chat.update,
    "conversations.history": conversations.history,
    "conversations.info": conversations.info,
    "conversations.list": conversations.list_all,
    "conversations.members": conversations.members,
    "conversations.open": conversations.open_direct,
    "conversations.replies": conversations.replies,
    "files.completeUploadExternal": uploads.complete,
    "files.getUploadURLExternal": uploads.upload_url,
    "users.lookupByEmail": conversations.lookup_by_email,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: its parameters, its token's first letters, and `ok`, an error or the fault."""

    method: str
    params: Body
    token: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back over the wire."""

    outcome: str
    content: bytes
    status: int = 200
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a fake Slack listens: for WebClient(base_url=...) and WebhookClient."""

    api_url: str
    webhook_url: str


class FakeSlack:
    """A workspace and one app's tokens, each with its scopes.

    `channels`, `tokens` and `revoked` may be changed at any time. The webhook posts to
    `webhook_channel`, by default the first. `pace` None lets messages follow at once. `clock`
    paces, `now` (Unix seconds) dates the messages.
    """

    def __init__(  # noqa: PLR0913 - each has a default that fits most tests
        self,
        *,
        tokens: Mapping[str, frozenset[str]],
        channels: Mapping[str, Channel],
        users: Iterable[User] = (),
        webhook_channel: str | None = None,
        pace: Pace | None = Pace(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = dict(tokens)
        self.revoked: set[str] = set()
        self.webhook_channel = webhook_channel or next(iter(channels), "")
        self._workspace = Workspace(channels, users, pace=pace, clock=clock, now=now)
        self._calls: list[Call] = []
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)

    @property
    def channels(self) -> dict[str, Channel]:
        """Channels by id, direct messages that were opened among them."""
        return self._workspace.channels

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages that stand, in the order in which they were posted."""
        return tuple(self._workspace.messages)

    def in_channel(self, channel: str) -> tuple[Message, ...]:
        """Return the messages of one channel, those in threads among them."""
        return tuple(one for one in self.messages if one.channel == channel)

    @property
    def files(self) -> tuple[File, ...]:
        """Files whose upload was completed, once for each channel they were shared in."""
        return tuple(self._workspace.files)

    @property
    def pings(self) -> tuple[Ping, ...]:
        """Everyone, users and groups that messages mention so that Slack notifies them."""
        return tuple(self._workspace.pings)

    @property
    def unfurls(self) -> tuple[Message, ...]:
        """Messages whose links Slack would fetch."""
        return tuple(self._workspace.unfurls)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls in order; the method of a webhook's is `webhook`, of a file's `upload`."""
        return tuple(self._calls)

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method fail, one fault a call."""
        self._faults[method].extend(faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        method = _method(scope["path"])
        fault = self._faults[method].popleft() if self._faults[method] else None
        try:
            request = await read(scope, receive)
        except SlackError as refusal:
            self._calls.append(Call(method=method, params={}, token="", outcome=refusal.code))
            await _send(send, _refusal(refusal, {}))
            return
        answer = _before(fault) or self._answer(method, request)
        self._remember(method, request, type(fault).__name__ if fault else answer.outcome)
        await _deliver(fault, answer, receive, send)

    def _remember(self, method: str, request: Request, outcome: str) -> None:
        params = webhook.sent(request) if method == WEBHOOK else dict(request.params)
        token = f"{request.token[:5]}***" if request.token else ""
        self._calls.append(Call(method=method, params=params, token=token, outcome=outcome))

    def _answer(self, method: str, request: Request) -> Answer:
        try:
            if method == WEBHOOK:
                text = webhook.post(self._workspace, self.webhook_channel, request)
                return _text(200, text)
            if method == UPLOAD:
                return _text(*uploads.receive_bytes(self._workspace, request))
        except SlackError as refusal:
            status = webhook.STATUS.get(refusal.code, 400)
            return replace(_text(status, refusal.code), headers=_retry(refusal))
        scopes = self.tokens.get(request.token or "", frozenset())
        headers = {"x-oauth-scopes": ",".join(sorted(scopes))}
        try:
            self._admit(request)
            body = self._call(method, replace(request, scopes=scopes))
        except SlackError as refusal:
            return _refusal(refusal, headers)
        return Answer(outcome="ok", content=json.dumps(body).encode(), headers=headers)

    def _admit(self, request: Request) -> None:
        if request.token is None:
            raise SlackError("not_authed")
        if request.token in self.revoked:
            raise SlackError("token_revoked")
        if request.token not in self.tokens:
            raise SlackError("invalid_auth")

    def _call(self, method: str, request: Request) -> Body:
        if method == "auth.test":
            team = {"url": "https://test.slack.com/", "team": "Test", "team_id": "T1"}
            bot = {"user": "keyvigil", "user_id": BOT_USER, "bot_id": "B0BOT"}
            return {"ok": True, **team, **bot, "is_enterprise_install": False}
        handler = METHODS.get(method)
        if handler is None:
            raise SlackError("unknown_method", req_method=method)
        return handler(self._workspace, request)


@contextmanager
def serving_slack(fake: AsgiApp) -> Iterator[Address]:
    """Serve a fake Slack on loopback while the context lasts."""
    with serving(fake) as url:
        root = url.removesuffix("/v1")
        yield Address(api_url=f"{root}{API}", webhook_url=f"{root}{webhook.PATH}")


def _method(path: str) -> str:
    if path.startswith(API):
        return path.removeprefix(API)
    return UPLOAD if path.startswith(uploads.ROOT) else WEBHOOK


def _before(fault: Fault | None) -> Answer | None:
    """Return the answer of a fault that comes before anything is done."""
    match fault:
        case RateLimited(retry_after=seconds):
            return _refusal(SlackError("ratelimited", status=429, retry_after=seconds), {})
        case ErrorBefore(status=status):
            return _broken(status)
        case ApiError():
            return _refusal(SlackError(fault.code, **fault.extra), {})
    return None


async def _deliver(fault: Fault | None, answer: Answer, receive: Receive, send: Send) -> None:
    """Send an answer, or what a fault makes of it after all is done."""
    match fault:
        case ErrorAfter(status=status):
            await _send(send, _broken(status))
        case ApiErrorAfter():
            await _send(send, _refusal(SlackError(fault.code, **fault.extra), {}))
        case TruncatedAfter():
            await _send(Cut(send), answer)
        case ResetAfter():
            # ASGI cannot hang up without an answer; uvicorn's connection can.
            cast(Any, receive).__self__.transport.abort()
            await receive()
        case SilentAfter():
            while (await receive())["type"] != "http.disconnect":
                pass
        case _:
            await _send(send, answer)


def _text(status: int, text: str) -> Answer:
    outcome = "ok" if status == 200 else text
    kind = "text/html; charset=utf-8"
    return Answer(outcome=outcome, content=text.encode(), status=status, kind=kind, headers={})


def _broken(status: int) -> Answer:
    return _text(status, "<html><body>Server Error</body></html>")


def _refusal(refusal: SlackError, headers: Mapping[str, str]) -> Answer:
    return Answer(
        outcome=refusal.code,
        content=json.dumps(refusal.body).encode(),
        status=refusal.status,
        headers={**headers, **_retry(refusal)},
    )


def _retry(refusal: SlackError) -> dict[str, str]:
    seconds = refusal.retry_after
    return {} if seconds is None else {"retry-after": str(seconds)}


async def _send(send: Send, answer: Answer) -> None:
    headers = {
        "content-type": answer.kind,
        "content-length": str(len(answer.content)),
        **answer.headers,
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.content})
