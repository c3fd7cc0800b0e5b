"""One delivery on its way to Slack: each part noted before it is sent, and once it has arrived.

Each message carries its delivery's id as metadata, so that one whose answer was lost can be looked
for before it is sent again.
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
"""Of a receipt: the channel as the settings named it."""
_AS: Final = "as"
"""Of a receipt: how the message was taken."""
_BLOCKS, _TEXT, _LINE = "blocks", "text", "line"
_EVENT: Final = "keyvigil_alert"
_SKEW: Final = timedelta(hours=1)
"""How far Slack's clock may be from ours, at most."""
_SETTLES: Final = 2.0
"""Seconds until a message that arrived can be seen by whoever looks for it."""
_PASSING: Final = frozenset({"ratelimited", "unreachable", REDIRECTED})
"""Refusals that say nothing of what the app may do."""


class Sent(NamedTuple):
    """A message in Slack: where, whether it stands in the thread, and which findings it names."""

    channel: str
    ts: str
    is_below: bool
    named: frozenset[str]


class _Place(NamedTuple):
    """Where a message stands, as Slack calls it."""

    channel: str
    ts: str


class _CannotTell(Exception):  # noqa: N818 - never leaves this file
    """The app may not read what it wrote."""


class Sending:
    """Sends the parts of one delivery, each once as far as Slack lets us find out."""

    def __init__(
        self,
        delivery: Delivery,
        log: Log,
        api: SlackApi,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        """Take what is sent, where its progress is noted, and how to tell the time and to wait."""
        self._delivery, self._log, self._api = delivery, log, api
        self._clock, self._sleep = clock, sleep

    def ensure(self, name: str, channel: str, message: Message, thread: str | None = None) -> Sent:
        """Return where a message is, sent or found; where the thread is gone, in the channel."""
        part = self._log.part(name)
        if part is not None and part.state is PartState.SENDING:
            with suppress(_CannotTell):  # then it is sent: twice is better than never
                place = part.receipt.get(ASKED, channel)
                part = self._look(name, place, thread, part.at)
        if part is None or part.state is PartState.SENDING:
            part = self._sent(name, channel, message, thread)
        receipt = part.receipt
        names = {_BLOCKS: message.named, _TEXT: message.fallback_named}
        named = names.get(receipt.get(_AS, _BLOCKS), frozenset())
        return Sent(receipt["channel"], receipt["ts"], receipt.get("below") == "yes", named)

    def ensure_file(self, channel: str, thread: str, page: Page) -> None:
        """Share the page in a thread, unless it is there; say so if it cannot be had any more."""
        scan_id = self._delivery.draft.announcement.scan_id
        name = f"keyvigil-{scan_id}.html"
        part = self._log.part(name)
        if part is not None and part.state is PartState.SENT:
            return
        if part is None or not self._is_shared(name, channel, thread):
            content = page()
            self._log.begin(name)
            if content is None:
                text = f"The report of the scan {scan_id} is kept no more."
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
        """Post a message; where Slack refuses its blocks, as text, and that as short as can be.

        Return where it is, and how: as blocks, as text, or in one line.
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
        """Look for a message that may have arrived; raise _CannotTell if the app may not."""
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
        """Whether a file of that name stands in the thread, as far as can be seen."""
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
        """Note that a part arrived: in which place, as what, and whether in the thread."""
        receipt = {ASKED: asked, **place._asdict(), "below": "yes" if below else "no", _AS: how}
        self._log.done(name, **receipt)
        return Part(state=PartState.SENT, at=self._clock(), receipt=receipt)

    def _mark(self, name: str) -> dict[str, str]:
        return {"delivery": self._delivery.id, "part": name}
