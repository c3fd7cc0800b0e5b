"""The workspace behind the fake Slack: who and what is in it, and what was posted."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tests.alerts.fake_slack.mentions import Mentions
from tests.alerts.fake_slack.request import Body, SlackError

MICROSECONDS: Final = 1_000_000
BOT_USER: Final = "U0BOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel as the bot sees it; `is_im` for a direct message, which `members` names."""

    id: str
    name: str
    is_member: bool = True
    is_archived: bool = False
    is_private: bool = False
    is_im: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person in the workspace."""

    id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it stands; `edited` when it was changed after it was posted."""

    channel: str
    ts: str
    thread_ts: str | None = None
    text: str = ""
    blocks: tuple[Body, ...] = ()
    metadata: Body | None = None
    edited: bool = False
    via: Literal["api", "webhook"] = "api"
    files: tuple[str, ...] = ()
    file_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file; without a channel nobody but the bot sees it."""

    id: str
    name: str
    title: str
    content: bytes
    channel: str | None = None
    thread_ts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Whom a message notified: `channel`, `here`, `everyone`, a user's or a group's id."""

    channel: str
    ts: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One message every `seconds` per channel, and `burst` at once."""

    seconds: float = 1.0
    burst: int = 1


class Workspace:
    """State and its rules; `clock` paces the messages, `now` gives them their `ts`."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        users: Iterable[User],
        *,
        pace: Pace | None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.channels = dict(channels)
        self.users = {user.id: user for user in users}
        self.messages: list[Message] = []
        self.pings: list[Ping] = []
        self.unfurls: list[Message] = []
        self.files: list[File] = []
        self.uploads: dict[str, File] = {}
        self.pace = pace
        self._clock = clock
        self._now = now
        self._last = 0
        self._numbers = itertools.count(1)
        self._due: dict[str, float] = {}

    def new_id(self, letter: str) -> str:
        """Return an id that nothing else has."""
        return f"{letter}{next(self._numbers):09d}"

    def posting_to(self, asked: str, scopes: frozenset[str]) -> Channel:
        """Return the channel for an id, a name or a user; refuse it where the bot may not post."""
        if asked in self.users:
            return self.direct(asked)
        name = asked.removeprefix("#")
        by_name = (one for one in self.channels.values() if one.name == name)
        channel = self.channels.get(asked) or next(by_name, None)
        return self.admit(channel, is_guest="chat:write.public" in scopes)

    def admit(self, channel: Channel | None, *, is_guest: bool = False) -> Channel:
        """Return a channel that the bot may write to; refuse any other."""
        seen = self.visible(channel)
        if not seen.is_member and not is_guest:
            raise SlackError("not_in_channel")
        if seen.is_archived:
            raise SlackError("is_archived")
        return seen

    def visible(self, channel: Channel | None) -> Channel:
        """Return a channel that the bot can see; a private one only from inside."""
        if channel is None or (channel.is_private and not channel.is_member):
            raise SlackError("channel_not_found")
        return channel

    def direct(self, user: str) -> Channel:
        """Return the direct message with a user, opened if need be."""
        own = f"D{user[1:]}"
        channel = Channel(id=own, name=user, is_private=True, is_im=True, members=(user,))
        return self.channels.setdefault(own, channel)

    def hold_pace(self, channel: str) -> None:
        """Refuse a message that follows too soon; what is refused here does not count as one."""
        if self.pace is None:
            return
        now = self._clock()
        due = max(self._due.get(channel, now), now)
        wait = due - now - (self.pace.burst - 1) * self.pace.seconds
        if wait > 0:
            raise SlackError("ratelimited", status=429, retry_after=math.ceil(wait))
        self._due[channel] = due + self.pace.seconds

    def thread(self, channel: str, thread_ts: str | None) -> str | None:
        """Return a thread's `ts`; refuse one whose parent is not there."""
        if thread_ts is None:
            return None
        parent = self.find(channel, thread_ts)
        if parent is None or parent.thread_ts is not None:
            raise SlackError("thread_not_found")
        return thread_ts

    def find(self, channel: str, ts: str) -> Message | None:
        """Return the message with this `ts`."""
        return next((one for one in self.messages if (one.channel, one.ts) == (channel, ts)), None)

    def post(self, draft: Message, mentions: Mentions) -> Message:
        """Add a message under the next `ts`, and notify whom it mentions."""
        message = replace(draft, ts=self._next_ts())
        self.messages.append(message)
        self._notify(message, mentions)
        return message

    def change(self, old: Message, mentions: Mentions, **changes: Any) -> Message:
        """Put a changed message in the old one's place."""
        message = replace(old, edited=True, **changes)
        self.messages[self.messages.index(old)] = message
        self._notify(message, mentions)
        return message

    def _notify(self, message: Message, mentions: Mentions) -> None:
        for who in mentions.pings(message.text, message.blocks, self.users_by_name()):
            self.pings.append(Ping(channel=message.channel, ts=message.ts, who=who))
        if mentions.unfurls(message.text, message.blocks):
            self.unfurls.append(message)

    def users_by_name(self) -> dict[str, str]:
        """Return users' ids by name."""
        return {user.name: user.id for user in self.users.values()}

    def _next_ts(self) -> str:
        self._last = max(self._last + 1, int(self._now() * MICROSECONDS))
        seconds, rest = divmod(self._last, MICROSECONDS)
        return f"{seconds:010d}.{rest:06d}"
