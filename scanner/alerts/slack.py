"""The sink Slack: a message in a channel or to each owner, what is more in its thread.

Each message carries its delivery's id as metadata, so that one whose answer was lost can be looked
for before it is sent again.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from scanner.alerts.slack_api import REFUSED_BLOCKS, SlackApi, SlackRefused
from scanner.alerts.slack_blocks import TOP, Message, Style, messages, parent
from scanner.announcement import NEWS, Announcement, Delivery, Part, PartState, Route, Sink, Topic
from scanner.errors import AlertUncertain
from scanner.ports import Clock, Log

_EVENT: Final = "keyvigil_alert"
_SKEW: Final = timedelta(hours=1)
"""How far Slack's clock may be from ours, at most."""
_SETTLES: Final = 2.0
"""Seconds until a message that arrived can be seen by whoever looks for it."""


_BLIND: Final = frozenset({"missing_scope", "not_in_channel", "channel_not_found"})


class _CannotTell(Exception):  # noqa: N818 - never leaves this file
    """The app may not read what it wrote."""


class SlackSink:
    """Implements AlertSink with a bot token, for a channel or for the owners of keys."""

    def __init__(
        self,
        route: Route,
        api: SlackApi,
        *,
        clock: Clock,
        sleep: Callable[[float], None],
        report: str,
    ) -> None:
        """Take how to tell the time and to wait, and a link to the report's page, or ""."""
        self._route, self._api = route, api
        self._clock, self._sleep = clock, sleep
        self._style = Style(
            mention=route.mention,
            report=report,
            is_personal=route.sink is Sink.SLACK_OWNERS,
        )

    def __call__(self, delivery: Delivery, log: Log, report: bytes | None) -> None:
        """Send each message that is not there yet, then the page."""
        sending = _Sending(delivery, log, self._api, self._clock, self._sleep)
        announcement = delivery.draft.announcement
        channel = self._channel(delivery.draft.target)
        if self._joins_earlier(sending, announcement, log.earlier_today()):
            return
        first, *rest = messages(announcement, self._style)
        channel, thread = sending.ensure("message", channel, first)
        for number, message in enumerate(rest, start=1):
            sending.ensure(f"thread-{number}", channel, message, thread)
        if self._route.attach and report is not None:
            sending.ensure_file(f"keyvigil-{announcement.scan_id}.html", channel, thread, report)

    def _channel(self, target: str) -> str:
        """Return where to post: for an owner, their direct message or who stands in for them."""
        if self._route.sink is not Sink.SLACK_OWNERS:
            return target
        return (self._api.direct_channel(target) if target else None) or self._route.to

    def _joins_earlier(
        self, sending: "_Sending", announcement: Announcement, earlier: tuple[Delivery, ...]
    ) -> bool:
        """Tell of what was resolved on the day it was announced in that day's thread.

        There it is struck out, too. Return whether that was all there is to tell.
        """
        root = next((one for one in reversed(earlier) if _has_news(one)), None)
        if root is None or set(announcement.counts) != {Topic.RESOLVED} or announcement.gaps:
            return False
        channel, thread = (root.parts["message"].receipt[name] for name in ("channel", "ts"))
        first, *_ = messages(announcement, self._style)
        sending.ensure("message", channel, first, thread)
        later = earlier[earlier.index(root) + 1 :]
        resolved = frozenset(
            item.fingerprint
            for told in (*(one.draft.announcement for one in later), announcement)
            for item in told.of(Topic.RESOLVED)
        )
        shown = min(TOP, len(root.draft.announcement.of(*NEWS)))
        struck = parent(root.draft.announcement, self._style, shown, resolved)
        self._api.update(channel, thread, text=struck.text, blocks=list(struck.blocks))
        return True


class _Sending:
    """One delivery on its way: each part is noted before it is sent, and once it has arrived."""

    def __init__(
        self,
        delivery: Delivery,
        log: Log,
        api: SlackApi,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        self._delivery, self._log, self._api = delivery, log, api
        self._clock, self._sleep = clock, sleep

    def ensure(
        self, name: str, channel: str, message: Message, thread: str | None = None
    ) -> tuple[str, str]:
        """Return the channel and `ts` of a message, after sending it if it is not there."""
        part = self._log.part(name)
        if part is not None and part.state is PartState.SENDING:
            with suppress(_CannotTell):  # then it is sent: twice is better than never
                part = self._look(name, channel, thread, part.at)
        if part is None or part.state is PartState.SENDING:
            part = self._send(name, channel, message, thread)
        return part.receipt["channel"], part.receipt["ts"]

    def ensure_file(self, name: str, channel: str, thread: str, content: bytes) -> None:
        """Share a file in a thread, unless it is there."""
        part = self._log.part(name)
        if part is not None and part.state is PartState.SENT:
            return
        if part is None or not self._is_shared(name, channel, thread):
            self._log.begin(name)
            self._api.upload(channel, thread, name, content)
        self._log.done(name)

    def _send(self, name: str, channel: str, message: Message, thread: str | None) -> Part:
        for is_last in (False, True):
            began = self._clock()
            self._log.begin(name)
            try:
                posted = self._post(name, channel, message, thread)
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
                return self._done(name, *posted)
        raise AssertionError

    def _post(
        self, name: str, channel: str, message: Message, thread: str | None
    ) -> tuple[str, str]:
        """Post a message; where Slack refuses its blocks, as text, and that as short as can be."""
        marked: dict[str, Any] = {
            "metadata": {"event_type": _EVENT, "event_payload": self._mark(name)},
            **({"thread_ts": thread} if thread else {}),
        }
        try:
            return self._api.post(channel, text=message.text, blocks=list(message.blocks), **marked)
        except SlackRefused as error:
            if error.code not in REFUSED_BLOCKS:
                raise
        try:
            return self._api.post(channel, text=message.fallback, **marked)
        except SlackRefused as error:
            if error.code != "msg_too_long":
                raise
        return self._api.post(channel, text=message.text, **marked)

    def _look(self, name: str, channel: str, thread: str | None, since: datetime) -> Part | None:
        """Look for a message that may have arrived; raise _CannotTell if the app may not."""
        place, told = self._history(channel, since, thread)
        for one in told:
            if (one.get("metadata") or {}).get("event_payload") == self._mark(name):
                return self._done(name, place, str(one["ts"]))
        return None

    def _is_shared(self, name: str, channel: str, thread: str) -> bool:
        """Whether a file of that name stands in the thread, as far as can be seen."""
        try:
            _, told = self._history(channel, self._delivery.made_at, thread)
        except _CannotTell:
            return False
        files = (file for one in told for file in one.get("files") or ())
        return any(isinstance(file, Mapping) and file.get("name") == name for file in files)

    def _history(self, channel: str, since: datetime, thread: str | None) -> tuple[str, list[Any]]:
        """Return a channel's id and its messages; raise _CannotTell if the app may not see them."""
        try:
            place = self._api.channel_id(channel) if channel.startswith("#") else channel
            if place is None:
                raise _CannotTell
            return place, self._api.history(place, (since - _SKEW).timestamp(), thread)
        except SlackRefused as error:
            if error.code in _BLIND:
                raise _CannotTell from None
            raise

    def _done(self, name: str, channel: str, ts: str) -> Part:
        self._log.done(name, channel=channel, ts=ts)
        receipt = {"channel": channel, "ts": ts}
        return Part(state=PartState.SENT, at=self._clock(), receipt=receipt)

    def _mark(self, name: str) -> dict[str, str]:
        return {"delivery": self._delivery.id, "part": name}


def _has_news(delivery: Delivery) -> bool:
    part = delivery.parts.get("message")
    counts = delivery.draft.announcement.counts
    return part is not None and "ts" in part.receipt and any(topic in counts for topic in NEWS)
