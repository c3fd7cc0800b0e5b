"""The generic webhook sink: JSON `keyvigil.alert/1`, signed by the Standard Webhooks scheme.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2

from scanner.alerts.pages import PLAIN, PROXIES_AND_TRUST, head, is_page
from scanner.alerts.within import within
from scanner.announcement import Announcement, Delivery, Item, PartState, Route
from scanner.errors import AlertError, UsageError
from scanner.ports import Clock, Log, Page
from scanner.secret import Secret, redact

SCHEMA: Final = "keyvigil.alert/1"
_PART: Final = "request"
_PREFIX: Final = "whsec_"
_TIMEOUT: Final = 30.0
_PAUSES: Final = (1.0, 4.0, 16.0)
"""Seconds between attempts; a receiver recognises a repeated request by its id."""
_LONGEST_PAUSE: Final = 60.0
_AGAIN: Final = frozenset({408, 425, 429})
"""Retried, as are all from 500."""


class WebhookSink:
    """Implements AlertSink for one URL."""

    def __init__(
        self,
        url: Secret,
        secret: Secret | None,
        route: Route,
        *,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        """Raise UsageError if `secret` is not a valid signing key."""
        self._url, self._variable = url, route.to
        self._clock, self._sleep = clock, sleep
        self._key = signing_key(secret)

    def __call__(self, delivery: Delivery, log: Log, _page: Page) -> frozenset[str]:
        """Send the request until it is accepted; it contains every finding."""
        part = log.part(_PART)
        named = frozenset(item.fingerprint for item in delivery.draft.announcement.items)
        if part is not None and part.state is PartState.SENT:
            return named
        body = json.dumps(alert_json(delivery), ensure_ascii=False).encode(errors="replace")
        log.begin(_PART)
        said, wait = self._try(delivery.id, body)
        for pause in _PAUSES:
            if wait is None:
                break
            self._sleep(min(max(pause, wait), _LONGEST_PAUSE))
            said, wait = self._try(delivery.id, body)
        if not said:
            log.done(_PART)
            return named
        raise AlertError(
            f"The webhook did not accept the request: {said}.",
            help=f"Check {self._variable} and its receiver. The next scan sends the request"
            " again, with the same id.",
        )

    def _try(self, delivery_id: str, body: bytes) -> tuple[str, float | None]:
        """Send once; return the error or "", and the wait before the next attempt, if any."""
        url = self._url.reveal()
        headers = {
            "content-type": "application/json",
            "user-agent": "keyvigil",
            **PLAIN,
            **self._signed(delivery_id, body),
        }
        try:
            return within(_TIMEOUT, lambda: self._sent(url, body, headers))
        except TimeoutError:
            return self._late, 0.0
        except httpx2.RequestError as error:
            return self._shown(error), 0.0
        except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
            return (
                f"the request was not sent, check {PROXIES_AND_TRUST} ({type(error).__name__})",
                None,
            )

    def _sent(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[str, float | None]:
        with httpx2.stream(
            "POST",
            url,
            content=body,
            headers=headers,
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=url.startswith("https:"),  # a proxy cannot reach this machine
        ) as answer:
            return _meaning(answer)

    @property
    def _late(self) -> str:
        return f"no response within {_TIMEOUT:g} seconds"

    def _shown(self, error: httpx2.RequestError) -> str:
        """Return the error, without text of the receiver, which may repeat the URL."""
        if isinstance(error, httpx2.TimeoutException):
            return self._late
        if isinstance(error, httpx2.ProtocolError):
            return "the connection ended without a valid HTTP response"
        return self._url.mask(redact(str(error))) or type(error).__name__

    def _signed(self, delivery_id: str, body: bytes) -> dict[str, str]:
        moment = str(int(self._clock().timestamp()))
        signed = f"{delivery_id}.{moment}.".encode() + body
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        return {
            "webhook-id": delivery_id,
            "webhook-timestamp": moment,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def _meaning(answer: httpx2.Response) -> tuple[str, float | None]:
    """Return the error or "", and the wait before the next attempt, if any."""
    if answer.is_success:
        said = "it returned an HTML page, as a login does" if is_page(answer, head(answer)) else ""
        return said, None
    status = answer.status_code
    if answer.is_redirect:
        return f"it returned a redirect ({status}), which is not followed", None
    asked = answer.headers.get("retry-after", "")
    wait = float(asked) if asked.isascii() and asked.isdecimal() else 0.0
    is_passing = status in _AGAIN or answer.is_server_error
    return f"it returned {status}", wait if is_passing else None


def signing_key(secret: Secret | None) -> bytes:
    """Return the key in a secret `whsec_<base64>`; raise UsageError if it is invalid."""
    text = secret.reveal() if secret else ""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_PREFIX) or len(key) < 24:  # noqa: PLR2004 - the standard's least
        what = (
            "is not a valid signing secret: whsec_ and at least 24 bytes in base64"
            if text
            else "is not set; requests to the webhook are signed with it"
        )
        raise UsageError(
            f"KEYVIGIL_WEBHOOK_SECRET {what}.",
            help='Create one: python3 -c "import base64, secrets;'
            " print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\"",
        )
    return key


def alert_json(delivery: Delivery) -> dict[str, Any]:
    """Return the body, `keyvigil.alert/1`; unknown and absent values are null."""
    announcement = delivery.draft.announcement
    return {
        "schema": SCHEMA,
        "id": delivery.id,
        "route": delivery.draft.route,
        **_figures(announcement),
        "findings": [_finding(item) for item in announcement.items],
        "omitted": sum(announcement.counts.values()) - len(announcement.items),
    }


def _figures(announcement: Announcement) -> dict[str, Any]:
    return {
        "scan_id": announcement.scan_id,
        "organization": announcement.organization,
        "scanned_at": announcement.at.isoformat(),
        "policies": list(announcement.policies),
        "complete": not announcement.gaps,
        "gaps": list(announcement.gaps),
        "notices": list(announcement.notices),
        "keys": announcement.keys,
        "keys_violating": announcement.keys_violating,
        "open": {severity.value: n for severity, n in announcement.by_severity.items()},
        "changes": {topic.value: n for topic, n in announcement.counts.items()},
    }


def _finding(item: Item) -> dict[str, Any]:
    return {
        "fingerprint": item.fingerprint,
        "change": item.topic.value,
        "severity": item.severity.value,
        "severity_before": item.before.value if item.before else None,
        "rule": item.rule,
        "title": item.title,
        "evidence": item.evidence or None,
        "fix": item.fix or None,
        "key": {
            "id": item.key_id,
            "name": item.key_name or None,
            "redacted_value": item.redacted_value,
        },
        "project": item.project or None,
        "owner": {"name": item.owner or None, "email": item.owner_email or None},
        "found_at": item.since.isoformat(),
        "resolution": item.resolution or None,
        "revocation": item.revocation or None,
    }
