"""HTTP request -> response: health, readiness, metrics, and reports."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from io import BytesIO
from typing import BinaryIO, Final, NamedTuple
from urllib.parse import unquote

from scanner.daemon.access import Access
from scanner.daemon.health import Health, Status
from scanner.daemon.metrics import CONTENT_TYPE
from scanner.daemon.reports import NOTHING, PAGE, Reports
from scanner.ports import Clock

_JSON: Final = "application/json"
ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FOLDER: Final = "reports"
_UNKNOWN_HOST: Final = "Use an IP address, or allow this host with --allow-host."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response: status, headers, and a body of `size` bytes."""

    status: HTTPStatus
    body: BinaryIO
    size: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Asked(NamedTuple):
    """A request: the path as sent, and two headers, "" if missing."""

    target: str
    authorization: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The sources of the pages; `reports` is None if reports are not served."""

    health: Callable[[], Health]
    is_ready: Callable[[], bool]
    metrics: Callable[[], str]
    clock: Clock
    access: Access
    reports: Reports | None = None

    def get(self, asked: Asked) -> Answer:
        """Return the response to a GET request."""
        path = asked.target.partition("?")[0]
        match path.split("/"):
            case ["", "healthz"]:
                return self._health()
            case ["", "readyz"]:
                is_ready = self.is_ready()
                status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
                return _json(status, {"status": "ready" if is_ready else "not ready"})
            case ["", "metrics"]:
                return self._metrics(asked)
        return self._reports(path.split("/"), asked)

    def _reports(self, parts: list[str], asked: Asked) -> Answer:
        match parts:
            case ["", ""] if self.reports is not None:
                return _redirect(f"/{_FOLDER}/")
            case ["", folder, *names] if self.reports is not None and folder == _FOLDER:
                if not self.access.allows(asked.authorization):
                    return _unauthorized()
                return _report(self.reports, names)
        return _missing()

    def _metrics(self, asked: Asked) -> Answer:
        if self.access.has_token and not self.access.allows(asked.authorization):
            return _unauthorized()
        if not self.access.has_token and not self.access.knows(asked.host):
            return _json(HTTPStatus.FORBIDDEN, {"status": "unknown host", "help": _UNKNOWN_HOST})
        return _answer(HTTPStatus.OK, self.metrics().encode(), CONTENT_TYPE)

    def _health(self) -> Answer:
        health = self.health()
        status, reason = health.report(self.clock())
        is_overdue = status is Status.OVERDUE
        code = HTTPStatus.SERVICE_UNAVAILABLE if is_overdue else HTTPStatus.OK
        why = {"reason": reason} if reason else {}
        return _json(code, {"status": status, **why, "next_run": _at(health.next_run)})


def _report(reports: Reports, names: list[str]) -> Answer:
    trouble = reports.trouble()
    if trouble:
        told = {"status": "unreadable", "reason": trouble}
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, told)
    match names:
        case []:
            return _redirect(f"/{_FOLDER}/")
        case [""]:
            return _answer(HTTPStatus.OK, reports.page(), PAGE)
        case ["newest"]:
            pages = (file.address for file in reports.files() if file.name.endswith(".html"))
            newest = next(pages, None)
            return _redirect(f"/{_FOLDER}/{newest}") if newest else _missing()
    opened = reports.open([unquote(name, errors="surrogateescape") for name in names])
    if opened is None:
        return _missing()
    kept = {} if opened.is_shown else {"Content-Disposition": "attachment"}
    return Answer(
        status=HTTPStatus.OK,
        body=opened.content,
        size=opened.size,
        headers={
            **ALWAYS,
            "Content-Type": opened.kind,
            "Content-Security-Policy": opened.policy,
            **kept,
        },
    )


def _answer(
    status: HTTPStatus, body: bytes, kind: str, more: Mapping[str, str] | None = None
) -> Answer:
    headers = {**ALWAYS, "Content-Type": kind, **(more or {})}
    return Answer(status=status, body=BytesIO(body), size=len(body), headers=headers)


def _json(
    status: HTTPStatus, body: Mapping[str, str | None], more: Mapping[str, str] | None = None
) -> Answer:
    return _answer(status, f"{json.dumps(body)}\n".encode(), _JSON, more)


def _unauthorized() -> Answer:
    challenge = {"WWW-Authenticate": 'Basic realm="KeyVigil reports", charset="UTF-8"'}
    return _json(HTTPStatus.UNAUTHORIZED, {"status": "unauthorized"}, challenge)


def _missing() -> Answer:
    return _json(HTTPStatus.NOT_FOUND, {"status": "not found"})


def _redirect(address: str) -> Answer:
    return _json(HTTPStatus.FOUND, {"status": "found"}, {"Location": address})


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
