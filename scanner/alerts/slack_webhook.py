"""The sink of Slack's incoming webhooks: one message, no thread, file or second look.

Slack tells nothing of what a webhook posted: where the answer is lost, the message is sent again.
"""

import http.client
import urllib.error
from collections.abc import Callable
from typing import Final

from slack_sdk.webhook import WebhookClient, WebhookResponse

from scanner.alerts.slack_api import SILENT
from scanner.alerts.slack_blocks import Message, Style, messages
from scanner.announcement import Delivery, PartState, Route
from scanner.errors import AlertError, AlertUncertain
from scanner.ports import Log
from scanner.secret import Secret, redact

_PART: Final = "message"
_TIMEOUT: Final = 30
_MOST_WAITED: Final = 300.0
_MENDS: Final = {
    "invalid_token": "The webhook is gone: make a new one and set KEYVIGIL_SLACK_WEBHOOK.",
    "no_service": "The webhook is gone: make a new one and set KEYVIGIL_SLACK_WEBHOOK.",
    "no_active_hooks": "The webhook is switched off: make a new one.",
    "channel_not_found": "The webhook's channel is gone: make a webhook for another.",
    "channel_is_archived": "The webhook's channel is archived: make a webhook for another.",
    "action_prohibited": "A rule of the workspace keeps the webhook from posting: ask its owners.",
}


class SlackWebhookSink:
    """Implements AlertSink for one incoming webhook."""

    def __init__(
        self, url: Secret, route: Route, *, report: str, sleep: Callable[[float], None]
    ) -> None:
        """Take the webhook's address, and a link to the report's page, or ""."""
        self._client = WebhookClient(
            url.reveal(), timeout=_TIMEOUT, retry_handlers=[], logger=SILENT
        )
        self._url = url
        self._style = Style(mention=route.mention, report=report, has_thread=False)
        self._sleep = sleep

    def __call__(self, delivery: Delivery, log: Log, _report: bytes | None) -> None:
        """Post the message, unless it is known to be there."""
        part = log.part(_PART)
        if part is not None and part.state is PartState.SENT:
            return
        (message,) = messages(delivery.draft.announcement, self._style)
        log.begin(_PART)
        answer = self._post(message, with_blocks=True)
        if answer.status_code == http.client.BAD_REQUEST and "blocks" in answer.body:
            answer = self._post(message, with_blocks=False)
        if answer.status_code != http.client.OK:
            raise self._refused(answer)
        log.done(_PART)

    def _post(self, message: Message, *, with_blocks: bool) -> WebhookResponse:
        waited = 0.0
        while True:
            try:
                answer = self._client.send(
                    text=message.text if with_blocks else message.fallback,
                    blocks=list(message.blocks) if with_blocks else None,
                    unfurl_links=False,
                    unfurl_media=False,
                )
            except urllib.error.URLError as error:  # while connecting or sending: it was not sent
                raise AlertError(
                    f"Slack cannot be reached: {self._url.mask(redact(str(error.reason)))}.",
                    help="Check the network and HTTPS_PROXY; the next scan tells what is left.",
                ) from None
            except (OSError, http.client.HTTPException) as error:
                raise self._uncertain(str(error) or type(error).__name__) from None
            if answer.status_code != http.client.TOO_MANY_REQUESTS:
                return answer
            wait = _seconds(answer)
            waited += wait
            if waited > _MOST_WAITED:
                return answer
            self._sleep(wait)

    def _refused(self, answer: WebhookResponse) -> AlertError:
        status = answer.status_code
        if status >= http.client.INTERNAL_SERVER_ERROR:
            return self._uncertain(f"status {status}")
        said = self._url.mask(redact(answer.body.strip()[:200]))
        return AlertError(f"Slack refused: {said} ({status}).", help=_MENDS.get(said))

    def _uncertain(self, why: str) -> AlertUncertain:
        return AlertUncertain(
            f"Slack did not answer as it should ({self._url.mask(redact(why))}), so that nobody"
            " knows whether the message arrived.",
            help="The next scan sends it again; a bot token could look first.",
        )


def _seconds(answer: WebhookResponse) -> float:
    try:
        return max(float(answer.headers.get("Retry-After", 1)), 1.0)
    except ValueError:
        return 1.0
