"""Slack's SDK over connections of our own: no redirect, no cookie, no endless response.

The SDK follows redirects together with its token, uploads to any address that it receives, and
reads responses of any size for any time. Its one method of each client that opens a connection is
replaced.
"""

import http.client
import json
from http import HTTPStatus
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request

import httpx2
from slack_sdk.errors import SlackRequestError
from slack_sdk.web import WebClient
from slack_sdk.web.file_upload_v2_result import FileUploadV2Result
from slack_sdk.webhook import WebhookClient, WebhookResponse

from scanner.alerts.pages import PLAIN, PROXIES_AND_TRUST
from scanner.alerts.within import within

API: Final = "https://slack.com/api/"
MAX_RESPONSE: Final = 16 * 1024 * 1024
"""Bytes of one response."""
WHOLE: Final = 60.0
"""Seconds for one request and its whole response."""
WHOLE_UPLOAD: Final = 300.0
UNEXPECTED: Final = "unexpected response"
"""KeyVigil's error code; Slack's own codes contain no space."""
_Received = tuple[int, dict[str, str], bytes]


class ResponseTooLargeError(http.client.HTTPException):
    """A response has more than MAX_RESPONSE bytes."""


class SlackWebClient(WebClient):
    """Sends the token to the API's own address only, and files to `is_upload_address` only."""

    def _perform_urllib_http_request_internal(
        self,
        url: str,  # noqa: ARG002 - the SDK's, and the request has it
        req: Request,
    ) -> dict[str, Any]:
        status, headers, body = _send(req, self.timeout)
        return {"status": status, "headers": headers, "parsed_body": _slack_object(body)}

    def _upload_file(self, *, url: str | None, data: bytes, **_how: Any) -> FileUploadV2Result:  # noqa: ANN401 - the SDK's
        if url is None or not is_upload_address(str(url), self.base_url):
            raise SlackRequestError("the upload address is not on files.slack.com")
        request = Request(url, data=data, method="POST")  # noqa: S310 - the line above
        status, _, body = _send(request, self.timeout, WHOLE_UPLOAD)
        if status != HTTPStatus.OK:  # the SDK would repeat the body
            raise SlackRequestError(f"the upload returned {status}")
        return FileUploadV2Result(status=status, body=body.decode("utf-8", "replace"))


class SlackWebhookClient(WebhookClient):
    """Sends messages to the webhook's own address only."""

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        status, headers, body = _send(req, self.timeout)
        text = body.decode("utf-8", "replace")
        return WebhookResponse(url=url, status_code=status, body=text, headers=headers)


def is_upload_address(url: str, base_url: str) -> bool:
    """Whether Slack documents this URL for uploads, for an API at `base_url`.

    That is files.slack.com; for another API its own address and `files.` before its host, too.
    """
    try:
        to, api = urlsplit(url), urlsplit(base_url)
    except ValueError:
        return False
    origin = (to.scheme.lower(), to.netloc.lower())
    upload = ("https", f"files.{urlsplit(API).netloc}")
    own = (api.scheme.lower(), api.netloc.lower())
    if api.netloc.lower() == urlsplit(API).netloc:
        return origin == upload
    return origin in (upload, own, ("https", f"files.{own[1]}"))


def _send(request: Request, timeout: float, whole: float | None = None) -> _Received:
    """Send once; return status, headers and body. Redirects are responses like others.

    `timeout` is for each read, `whole` for all of it, in seconds. Raise URLError if the request was
    not sent, OSError or ResponseTooLargeError if it may have been.
    """
    try:
        return within(whole or WHOLE, lambda: _sent(request, timeout))
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise URLError(str(error) or type(error).__name__) from None
    except httpx2.RequestError as error:  # not the text of the server, which may be hostile
        said = f"the connection ended without a response: {type(error).__name__}"
        raise ConnectionError(said) from None
    except (httpx2.InvalidURL, ImportError, ValueError) as error:
        said = f"the request was not sent, check {PROXIES_AND_TRUST}"
        raise URLError(f"{said} ({type(error).__name__})") from None


def _sent(request: Request, timeout: float) -> _Received:
    url = request.full_url
    if not url.lower().startswith(("http:", "https:")):
        raise SlackRequestError("the address is not http or https")
    is_tls = url.lower().startswith("https:")
    with httpx2.stream(
        request.get_method(),
        url,
        content=request.data if isinstance(request.data, bytes) else None,
        headers={**dict(request.header_items()), **PLAIN},
        timeout=timeout,
        follow_redirects=False,
        verify=is_tls,
        trust_env=is_tls,  # a proxy cannot reach this machine
    ) as response:
        headers = dict(response.headers)
        if "retry-after" in headers:
            headers["Retry-After"] = headers["retry-after"]
        return response.status_code, headers, _read(response)


def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_RESPONSE:
            raise ResponseTooLargeError(f"a response of more than {MAX_RESPONSE // 1024**2} MiB")
    return bytes(body)


def _slack_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; an error object if it is not a Slack response."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or not isinstance(read.get("ok"), bool):
        return {"ok": False, "error": UNEXPECTED}
    return read
