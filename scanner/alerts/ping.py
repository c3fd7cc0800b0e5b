"""Pings to a dead man's switch such as Healthchecks, which alerts people when pings stop.

https://healthchecks.io/docs/http_api/
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx2

from scanner.alerts.pages import PLAIN, PROXIES_AND_TRUST, head, is_page
from scanner.alerts.within import within
from scanner.errors import AlertError
from scanner.secret import Secret, redact

_TIMEOUT: Final = 5.0
_PAUSES: Final = (0.5, 1.0)
"""Seconds between attempts; short, so that a scan does not wait long."""
_AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_NOT_TAKEN: Final = {
    b"OK (not found)": "the check does not exist",
    b"OK (rate limited)": "the check received too many pings",
}
"""Errors that Healthchecks returns with status 200."""


class Ping:
    """One URL. Raise AlertError, which never contains the URL, if a ping is not accepted."""

    def __init__(
        self, url: Secret, *, sleep: Callable[[float], None], seconds: float = _TIMEOUT
    ) -> None:
        """`seconds` is the limit for a whole response."""
        self._url, self._sleep, self._seconds = url, sleep, seconds

    def start(self) -> None:
        """Report the start of a run."""
        self._send("/start")

    def success(self) -> None:
        """Report the success of a run."""
        self._send("")

    def fail(self, why: str, *, is_hurried: bool = False) -> None:
        """Report the failure of a run with a short reason; no retries if `is_hurried`."""
        self._send("/fail", why, pauses=() if is_hurried else _PAUSES)

    def _send(self, what: str, body: str = "", *, pauses: Sequence[float] = _PAUSES) -> None:
        """Send until accepted, with a retry after each pause; duplicates are harmless."""
        url = _below(self._url.reveal(), what)
        said, may_pass = self._try(url, body)
        for pause in pauses:
            if not may_pass:
                break
            self._sleep(pause)
            said, may_pass = self._try(url, body)
        if said:
            raise AlertError(
                f"The ping{f' of the {what[1:]}' if what else ''} was not accepted: {said}.",
                help="Check KEYVIGIL_PING_URL and its server.",
            )

    def _try(self, url: str, body: str) -> tuple[str, bool]:
        """Send once; return the error or "", and whether a retry may help."""
        try:
            return within(self._seconds, lambda: _sent(url, body, self._seconds))
        except (TimeoutError, httpx2.TimeoutException):
            return f"no response within {self._seconds:g} seconds", True


def _below(address: str, what: str) -> str:
    """Return the URL of a ping: a path below `address`, before its query."""
    url = urlsplit(address)
    return urlunsplit(url._replace(path=url.path.rstrip("/") + what, fragment=""))


def _sent(url: str, body: str, seconds: float) -> tuple[str, bool]:
    """Send; return the error or "", and whether a retry may help. Raise TimeoutException."""
    try:
        with httpx2.stream(
            "POST",
            url,
            content=body.encode(errors="replace"),
            headers={
                "content-type": "text/plain; charset=utf-8",
                "user-agent": "keyvigil",
                **PLAIN,
            },
            timeout=seconds,
            follow_redirects=False,
            trust_env=url.startswith("https:"),  # a proxy cannot reach this machine
        ) as answer:
            return _meaning(answer)
    except httpx2.TimeoutException:
        raise
    except httpx2.ConnectError as error:
        return redact(str(error)) or "the server cannot be reached", True
    except httpx2.RequestError as error:  # not the text of the server, which may be hostile
        return f"the connection ended without a response ({type(error).__name__})", True
    except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        return f"the ping was not sent, check {PROXIES_AND_TRUST} ({type(error).__name__})", False


def _meaning(answer: httpx2.Response) -> tuple[str, bool]:
    """Return the error or "", and whether a retry may help."""
    status = answer.status_code
    if answer.is_success:
        start = head(answer)
        said = "it returned an HTML page, as a login does" if is_page(answer, start) else ""
        return _NOT_TAKEN.get(start, said), False
    if answer.is_redirect:
        return f"it returned a redirect ({status}), which is not followed", False
    return f"it returned {status}", status in _AGAIN or answer.is_server_error
