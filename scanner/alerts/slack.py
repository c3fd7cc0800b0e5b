"""The Slack sink: a message to a channel or to each owner, further findings in its thread."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from scanner.alerts.slack_api import NOBODY, SlackApi, SlackRefused
from scanner.alerts.slack_blocks import Style, fitting, messages, parent, style_of
from scanner.alerts.slack_sending import ASKED, Sending
from scanner.announcement import NEWS, Announcement, Delivery, Route, Sink, Topic
from scanner.errors import AlertError
from scanner.ports import Clock, Log, Page

_PARENT: Final = "message"
_CLOSED: Final = NOBODY | {"messages_tab_disabled"}
"""Slack's errors for direct messages that cannot be delivered."""


class _Errand(NamedTuple):
    """One delivery with its log, its report page and its sender."""

    delivery: Delivery
    log: Log
    page: Page
    sending: Sending


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
        """`report` is the URL of the report's page, or ""."""
        self._route, self._api = route, api
        self._clock, self._sleep = clock, sleep
        self._report = report

    def __call__(self, delivery: Delivery, log: Log, page: Page) -> frozenset[str]:
        """Send each message not sent yet, then the page; return the findings in them."""
        self._api.begin()
        sending = Sending(delivery, log, self._api, self._clock, self._sleep)
        errand = _Errand(delivery, log, page, sending)
        owner = delivery.draft.target
        channel, style = self._route.to, style_of(self._route, self._report, has_owner=False)
        if self._route.sink is Sink.SLACK_OWNERS and owner:
            style = replace(style, absent=delivery.draft.announcement.items[0].owner_email)
            direct = self._api.direct_channel(owner)
            if direct is not None:
                try:
                    personal = style_of(self._route, self._report, has_owner=True)
                    return self._tell(errand, direct, personal)
                except SlackRefused as error:
                    if error.reason not in _CLOSED:
                        raise
        return self._tell(errand, channel, style)

    def _tell(self, errand: _Errand, channel: str, style: Style) -> frozenset[str]:
        """Send the messages not sent yet to a channel; return the findings in them."""
        delivery, log, page, sending = errand
        announcement = delivery.draft.announcement
        root = self._root(announcement, channel, log)
        first, *rest = messages(announcement, style)
        thread = root.parts[_PARENT].receipt["ts"] if root else None
        channel, ts, is_below, named = sending.ensure(_PARENT, channel, first, thread)
        if is_below and thread and root:
            ts = thread
            self._strike_out(root, announcement, style, log)
        for number, message in enumerate(rest, start=1):
            named |= sending.ensure(f"thread-{number}", channel, message, ts).named
        if self._route.attach:
            sending.ensure_file(channel, ts, page)
        return named

    def _root(self, announcement: Announcement, channel: str, log: Log) -> Delivery | None:
        """Return the message of the same day that announced all findings resolved now, or None.

        Findings resolved on the day of their announcement are reported in its thread.
        """
        if set(announcement.counts) != {Topic.RESOLVED} or announcement.gaps:
            return None
        resolved = {item.fingerprint for item in announcement.items}
        if len(resolved) < announcement.count(Topic.RESOLVED):
            return None
        for earlier in reversed(log.earlier_today()):
            news = {item.fingerprint for item in earlier.draft.announcement.of(*NEWS)}
            part = earlier.parts.get(_PARENT)
            if (
                part
                and part.receipt.get(ASKED) == channel
                and "ts" in part.receipt
                and resolved <= news
            ):
                return earlier
        return None

    def _strike_out(
        self, root: Delivery, announcement: Announcement, style: Style, log: Log
    ) -> None:
        """Strike out the findings of a message resolved since; a failure is ignored."""
        earlier = log.earlier_today()
        later = [one.draft.announcement for one in earlier[earlier.index(root) + 1 :]]
        resolved = frozenset(
            item.fingerprint for told in (*later, announcement) for item in told.of(Topic.RESOLVED)
        )
        told = root.draft.announcement
        struck = parent(told, style, fitting(told, style), resolved)
        receipt = root.parts[_PARENT].receipt
        with suppress(AlertError):
            self._api.update(
                receipt["channel"], receipt["ts"], text=struck.text, blocks=list(struck.blocks)
            )
