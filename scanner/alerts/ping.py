"""Pings to a dead man's switch, as Healthchecks has them: it calls people when none come.

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
"""Seconds between tries: a scan does not wait long for who watches it."""
_AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_NOT_TAKEN: Final = {
    b"OK (not found)": "there is no such check",
    b"OK (rate limited)": "there were too many pings",
}
"""What Healthchecks says with a 200 all the same."""


class Ping:
    """One address. Raise AlertError, without the address, if a ping is not taken."""

    def __init__(
        self, url: Secret, *, sleep: Callable[[float], None], seconds: float = _TIMEOUT
    ) -> None:
        """`seconds` is how long a whole answer may take."""
        self._url, self._sleep, self._seconds = url, sleep, seconds

    def start(self) -> None:
        """Tell that a run begins."""
        self._send("/start")

    def success(self) -> None:
        """Tell that a run did all that it is there for."""
        self._send("")

    def fail(self, why: str, *, is_hurried: bool = False) -> None:
        """Tell that a run did not, and why in few words; only once where the end `is_hurried`."""
        self._send("/fail", why, pauses=() if is_hurried else _PAUSES)

    def _send(self, what: str, body: str = "", *, pauses: Sequence[float] = _PAUSES) -> None:
        """Send until it is taken, or as often as there are pauses; twice does no harm."""
        url = _below(self._url.reveal(), what)
        said, may_pass = self._try(url, body)
        for pause in pauses:
            if not may_pass:
                break
            self._sleep(pause)
            said, may_pass = self._try(url, body)
        if said:
            raise AlertError(
                f"The ping{f' of the {what[1:]}' if what else ''} was not taken: {said}.",
                help="Check KEYVIGIL_PING_URL and who answers there.",
            )

    def _try(self, url: str, body: str) -> tuple[str, bool]:
        """Send once; return what went wrong, or "", and whether it may pass."""
        try:
            return within(self._seconds, lambda: _sent(url, body, self._seconds))
        except (TimeoutError, httpx2.TimeoutException):
            return f"no answer within {self._seconds:g} seconds", True


def _below(address: str, what: str) -> str:
    """Return the address of a ping: a path below the address, before its query."""
    url = urlsplit(address)
    return urlunsplit(url._replace(path=url.path.rstrip("/") + what, fragment=""))


def _sent(url: str, body: str, seconds: float) -> tuple[str, bool]:
    """Send; return what went wrong, or "", and whether it may pass. Raise TimeoutException."""
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
        return redact(str(error)) or "nobody can be reached there", True
    except httpx2.RequestError as error:  # in words of ours: those of the other side may be hostile
        return f"the connection ended without an answer ({type(error).__name__})", True
    except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        return f"nothing was sent, check {PROXIES_AND_TRUST} ({type(error).__name__})", False


def _meaning(answer: httpx2.Response) -> tuple[str, bool]:
    """Return what an answer says went wrong, or "", and whether it may pass."""
    status = answer.status_code
    if answer.is_success:
        start = head(answer)
        said = "it answered with a page, as a login does" if is_page(answer, start) else ""
        return _NOT_TAKEN.get(start, said), False
    if answer.is_redirect:
        return f"it answered {status}, and a redirect is not followed", False
    return f"it answered {status}", status in _AGAIN or answer.is_server_error
