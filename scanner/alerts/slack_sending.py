"""One delivery to Slack: each part is logged before it is sent and after it was accepted.

Each message has its delivery's id as metadata, so that after a lost response KeyVigil can search
for it before it sends the message again.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from scanner.alerts.slack_answers import word
from scanner.alerts.slack_api import REDIRECTED, REFUSED_BLOCKS, SlackApi, SlackRefused
from scanner.alerts.slack_blocks import Message
from scanner.announcement import Delivery, Part, PartState
from scanner.errors import AlertUncertain
from scanner.ports import Clock, Log, Page

ASKED: Final = "asked"
"""Field of a receipt: the channel as named in the settings."""
_AS: Final = "as"
"""Field of a receipt: the form in which Slack accepted the message."""
_BLOCKS, _TEXT, _LINE = "blocks", "text", "line"
_EVENT: Final = "keyvigil_alert"
_SKEW: Final = timedelta(hours=1)
"""Maximum difference between Slack's clock and this machine's."""
_SETTLES: Final = 2.0
"""Seconds until a new message appears in the channel's history."""
_PASSING: Final = frozenset({"ratelimited", "unreachable", REDIRECTED})
"""Refusals that are unrelated to the app's permissions."""


class Sent(NamedTuple):
    """A message in Slack: channel, `ts`, whether it is in the thread, and its findings."""

    channel: str
    ts: str
    is_below: bool
    named: frozenset[str]


class _Place(NamedTuple):
    """A message's channel id and `ts`."""

    channel: str
    ts: str


class _CannotTell(Exception):  # noqa: N818 - never leaves this file
    """The app may not read the channel's history."""


class Sending:
    """Sends the parts of one delivery, each once as far as Slack's history can confirm."""

    def __init__(
        self,
        delivery: Delivery,
        log: Log,
        api: SlackApi,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        """`log` records which parts were sent."""
        self._delivery, self._log, self._api = delivery, log, api
        self._clock, self._sleep = clock, sleep

    def ensure(self, name: str, channel: str, message: Message, thread: str | None = None) -> Sent:
        """Send a message unless it is found; in the channel, if the thread was deleted."""
        part = self._log.part(name)
        if part is not None and part.state is PartState.SENDING:
            with suppress(_CannotTell):  # then it is sent: a duplicate is better than none
                place = part.receipt.get(ASKED, channel)
                part = self._look(name, place, thread, part.at)
        if part is None or part.state is PartState.SENDING:
            part = self._sent(name, channel, message, thread)
        receipt = part.receipt
        names = {_BLOCKS: message.named, _TEXT: message.fallback_named}
        named = names.get(receipt.get(_AS, _BLOCKS), frozenset())
        return Sent(receipt["channel"], receipt["ts"], receipt.get("below") == "yes", named)

    def ensure_file(self, channel: str, thread: str, page: Page) -> None:
        """Share the page in a thread, unless shared before; or a note that it no longer exists."""
        scan_id = self._delivery.draft.announcement.scan_id
        name = f"keyvigil-{scan_id}.html"
        part = self._log.part(name)
        if part is not None and part.state is PartState.SENT:
            return
        if part is None or not self._is_shared(name, channel, thread):
            content = page()
            self._log.begin(name)
            if content is None:
                text = f"The report of scan {scan_id} is no longer stored."
                self._api.post(channel, text=text, thread_ts=thread)
            else:
                self._api.upload(channel, thread, name, content)
        self._log.done(name)

    def _sent(self, name: str, channel: str, message: Message, thread: str | None) -> Part:
        try:
            return self._send(name, channel, message, thread)
        except SlackRefused as error:
            if thread is None or error.reason != "thread_not_found":
                raise
        return self._send(name, channel, message, None)

    def _send(self, name: str, channel: str, message: Message, thread: str | None) -> Part:
        for is_last in (False, True):
            began = self._clock()
            self._log.begin(name, **{ASKED: channel})
            try:
                place, how = self._post(name, channel, message, thread)
            except AlertUncertain as error:
                self._sleep(_SETTLES)
                try:
                    found = self._look(name, channel, thread, began)
                except _CannotTell:
                    raise error from None
                if found is not None:
                    return found
                if is_last:
                    raise
            else:
                return self._done(name, channel, place, how, below=bool(thread))
        raise AssertionError

    def _post(
        self, name: str, channel: str, message: Message, thread: str | None
    ) -> tuple[_Place, str]:
        """Post a message; if Slack rejects its blocks, as text; if that is too long, as one line.

        Return its place and its form.
        """
        marked: dict[str, Any] = {
            "metadata": {"event_type": _EVENT, "event_payload": self._mark(name)},
            **({"thread_ts": thread} if thread else {}),
        }
        try:
            blocks = list(message.blocks)
            posted = self._api.post(channel, text=message.text, blocks=blocks, **marked)
            return _Place(*posted), _BLOCKS
        except SlackRefused as error:
            if error.reason not in REFUSED_BLOCKS:
                raise
        try:
            return _Place(*self._api.post(channel, text=message.fallback, **marked)), _TEXT
        except SlackRefused as error:
            if error.reason != "msg_too_long":
                raise
        return _Place(*self._api.post(channel, text=message.text, **marked)), _LINE

    def _look(self, name: str, channel: str, thread: str | None, since: datetime) -> Part | None:
        """Search for a message that may have arrived; raise _CannotTell if the app may not."""
        place, told = self._history(channel, since, thread)
        for one in told:
            metadata, ts = one.get("metadata"), word(one.get("ts"))
            payload = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
            if ts and payload == self._mark(name):
                how = _BLOCKS if one.get("blocks") else _LINE
                found = _Place(place, ts)
                return self._done(name, channel, found, how, below=bool(thread))
        return None

    def _is_shared(self, name: str, channel: str, thread: str) -> bool:
        """Whether the thread has a file of that name, as far as its history is readable."""
        try:
            _, told = self._history(channel, self._delivery.made_at, thread)
        except _CannotTell:
            return False
        lists = (files for one in told if isinstance(files := one.get("files"), list))
        files = (file for files in lists for file in files)
        return any(isinstance(file, Mapping) and file.get("name") == name for file in files)

    def _history(
        self, channel: str, since: datetime, thread: str | None
    ) -> tuple[str, list[Mapping[str, Any]]]:
        """Return a channel's id and its messages; raise _CannotTell if the app may not see them."""
        try:
            place = self._api.channel_id(channel) if channel.startswith("#") else channel
            if place is None:
                raise _CannotTell
            return place, self._api.history(place, (since - _SKEW).timestamp(), thread)
        except SlackRefused as error:
            if error.reason in _PASSING:
                raise
            raise _CannotTell from None

    def _done(self, name: str, asked: str, place: _Place, how: str, *, below: bool) -> Part:
        """Log that a part was accepted: place, form, and whether in the thread."""
        receipt = {ASKED: asked, **place._asdict(), "below": "yes" if below else "no", _AS: how}
        self._log.done(name, **receipt)
        return Part(state=PartState.SENT, at=self._clock(), receipt=receipt)

    def _mark(self, name: str) -> dict[str, str]:
        return {"delivery": self._delivery.id, "part": name}
