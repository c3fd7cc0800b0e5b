"""The sink for Slack's incoming webhooks: one message, no thread, no file.

A webhook cannot read what it posted: after a lost response, the message is sent again.
"""

import http.client
import re
import urllib.error
from collections.abc import Callable
from typing import Final

from slack_sdk.webhook import WebhookResponse

from scanner.alerts.slack_api import SILENT
from scanner.alerts.slack_blocks import Message, messages, style_of
from scanner.alerts.slack_transport import SlackWebhookClient
from scanner.announcement import Delivery, PartState, Route
from scanner.errors import AlertError, AlertUncertain
from scanner.ports import Log, Page
from scanner.secret import Secret, redact

_PART: Final = "message"
_TIMEOUT: Final = 30
_MOST_WAITED: Final = 300.0
"""Maximum total wait of one delivery because of rate limits, in seconds."""
_TAKEN: Final = "ok"
_CODE: Final = re.compile(r"[a-z_]{2,60}")
"""Slack's error codes; other text may be a proxy's, and repeat the URL."""
_GONE: Final = "Create a new webhook and set {variable} to its URL: this one was deleted."
_MENDS: Final = {
    "invalid_token": _GONE,
    "no_service": _GONE,
    "no_service_id": _GONE,
    "no_team": _GONE,
    "no_active_hooks": "Create a new webhook and set {variable} to its URL: this one is disabled.",
    "channel_not_found": "Create a webhook for another channel and set {variable} to its URL: the"
    " channel was deleted.",
    "channel_is_archived": "Create a webhook for another channel and set {variable} to its URL: the"
    " channel is archived.",
    "action_prohibited": "Contact the workspace owners: a setting blocks posts by webhooks.",
    "team_disabled": "Contact the workspace owners: the workspace is disabled.",
}
_CHECK: Final = "Check that {variable} is the webhook's URL. The next scan sends the alert again."
_LATER: Final = "The next scan sends the alert again."


class SlackWebhookSink:
    """Implements AlertSink for one incoming webhook."""

    def __init__(
        self, url: Secret, route: Route, *, report: str, sleep: Callable[[float], None]
    ) -> None:
        """`url` is the webhook's, `report` that of the report's page, or ""."""
        self._client = SlackWebhookClient(
            url.reveal(), timeout=_TIMEOUT, retry_handlers=[], logger=SILENT
        )
        self._url, self._variable = url, route.to
        self._style = style_of(route, report, has_owner=False)
        self._sleep, self._waited = sleep, 0.0

    def __call__(self, delivery: Delivery, log: Log, _page: Page) -> frozenset[str]:
        """Post the message, unless it was accepted before; return the findings in it."""
        part = log.part(_PART)
        (message,) = messages(delivery.draft.announcement, self._style)
        if part is not None and part.state is PartState.SENT:
            return message.named
        self._waited = 0.0
        log.begin(_PART)
        answer = self._post(message, with_blocks=True)
        named = message.named
        if answer.status_code == http.client.BAD_REQUEST and "blocks" in answer.body:
            answer = self._post(message, with_blocks=False)
            named = message.fallback_named
        if answer.status_code != http.client.OK or answer.body.strip() != _TAKEN:
            raise self._refused(answer, self._variable)
        log.done(_PART)
        return named

    def _post(self, message: Message, *, with_blocks: bool) -> WebhookResponse:
        while True:
            answer = self._send(message, with_blocks=with_blocks)
            if answer.status_code != http.client.TOO_MANY_REQUESTS:
                return answer
            wait = _seconds(answer)
            if self._waited + wait > _MOST_WAITED:
                return answer
            self._waited += wait
            self._sleep(wait)

    def _send(self, message: Message, *, with_blocks: bool) -> WebhookResponse:
        try:
            return self._client.send(
                text=message.text if with_blocks else message.fallback,
                blocks=list(message.blocks) if with_blocks else None,
                unfurl_links=False,
                unfurl_media=False,
            )
        except urllib.error.URLError as error:  # while connecting or sending: it was not sent
            raise AlertError(
                f"Slack cannot be reached: {self._url.mask(redact(str(error.reason)))}.",
                help=f"Check the network and HTTPS_PROXY. {_LATER}",
            ) from None
        except OSError as error:
            why = self._url.mask(redact(str(error))) or type(error).__name__
            raise _uncertain(why) from None
        except (http.client.HTTPException, LookupError, ValueError) as error:
            raise _uncertain(type(error).__name__) from None

    def _refused(self, answer: WebhookResponse, variable: str) -> AlertError:
        status, body = answer.status_code, answer.body.strip()
        if status >= http.client.INTERNAL_SERVER_ERROR:
            return _uncertain(f"status {status}")
        if http.client.MULTIPLE_CHOICES <= status < http.client.BAD_REQUEST:
            said = f"Slack returned a redirect ({status}), which is not followed"
            return AlertError(f"{said}.", help=_CHECK.format(variable=variable))
        if status == http.client.OK:  # the page of a proxy
            return _uncertain(f"status {status}, without the text {_TAKEN}")
        if status == http.client.TOO_MANY_REQUESTS:
            said = f"Slack still limits the rate after {_MOST_WAITED:.0f} seconds"
            return AlertError(f"{said}.", help=_LATER)
        code = body if _CODE.fullmatch(body) else ""
        why = f"{code} ({status})" if code else f"status {status}"
        said = f"Slack rejected the request: {why}"
        return AlertError(f"{said}.", help=_MENDS.get(code, _CHECK).format(variable=variable))


def _uncertain(why: str) -> AlertUncertain:
    return AlertUncertain(
        f"Slack returned no valid response ({why}). The message may or may not have arrived.",
        help="The next scan sends it again. To avoid duplicates, use a bot token.",
    )


def _seconds(answer: WebhookResponse) -> float:
    asked = str(answer.headers.get("Retry-After", ""))
    return max(float(asked), 1.0) if asked.isascii() and asked.isdecimal() else 1.0
