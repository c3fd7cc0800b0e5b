"""The HTTP server: one thread per connection, with limits on their number and duration."""

import re
import shutil
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from scanner.daemon.connections import Connection, Connections, Limits
from scanner.daemon.events import Level, Log
from scanner.daemon.pages import ALWAYS, Answer, Asked, Pages
from scanner.errors import UsageError

_Client = Any
"""The address of a client, as the standard library passes it."""
_VERSION: Final = re.compile(r"HTTP/[0-9]\.[0-9]", re.ASCII)
_LOOK: Final = 0.1
"""Seconds between checks for a shutdown and for late requests."""
_SILENCE: Final = 10.0
"""Seconds that a connection may be idle, while reading or writing."""


def parse_address(text: str) -> tuple[str, int]:
    """Parse `HOST:PORT`, with an IPv6 address in brackets; raise UsageError if it is invalid."""
    host, colon, port = text.strip().rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if is_bracketed:
        host = host[1:-1]
    is_number = port.isascii() and port.isdecimal() and float(port) <= 65_535  # noqa: PLR2004
    if not (colon and host and is_number) or (":" in host and not is_bracketed):
        raise UsageError(
            f"--listen {text} is not HOST:PORT.",
            help="Use, for example, 127.0.0.1:8080, 0.0.0.0:8080 (all networks) or [::1]:8080.",
        )
    return host, int(port)


@contextmanager
def serving(
    pages: Pages, host: str, port: int, log: Log, limits: Limits | None = None
) -> Iterator[tuple[str, int]]:
    """Serve while the context lasts; yields host and port. Raise UsageError if it cannot listen."""
    under_way = Connections(limits or Limits())

    class Handler(_Handler):
        answer = staticmethod(pages.get)
        connections = under_way

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = _server(family)((host, port), Handler)
    except (OSError, UnicodeError) as error:
        why = "not a valid host name" if isinstance(error, UnicodeError) else error.strerror
        raise UsageError(
            f"keyvigil serve cannot listen on {host}:{port}: {why or error}.",
            help="Set --listen to another HOST:PORT; port 0 selects any free port.",
        ) from None
    server.log, server.connections = log, under_way
    thread = threading.Thread(
        target=server.serve_forever, args=(_LOOK,), name="keyvigil-http", daemon=True
    )
    thread.start()
    try:
        bound = server.socket.getsockname()
        yield bound[0], bound[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    log: Log
    connections: Connections

    def server_bind(self) -> None:
        """Bind without a DNS lookup of this host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Connection, client_address: _Client) -> None:
        """Respond in a thread; above the limit, the oldest connection is shut down."""
        self.connections.begin(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Connection) -> None:
        """Remove the connection from the limits, then close it."""
        self.connections.end(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Shut down late connections, at each check."""
        self.connections.look()

    def handle_error(self, _request: Connection, _client_address: _Client) -> None:
        """Log an error; connections closed by the client are not errors."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.log(Level.ERROR, "http_failed", error=f"{type(error).__name__}: {error}")


def _server(family: int) -> type[_Server]:
    class Server(_Server):
        address_family = family

    return Server


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENCE
    answer: Callable[[Asked], Answer]
    connections: Connections

    def version_string(self) -> str:
        """Return the name without a version."""
        return "keyvigil"

    def do_GET(self) -> None:
        """Respond with headers and body."""
        self._send(has_body=True)

    def do_HEAD(self) -> None:
        """Respond with the headers only."""
        self._send(has_body=False)

    def parse_request(self) -> bool:
        """Reject versions such as HTTP/-1.1, which some releases of Python accept."""
        is_valid = super().parse_request()
        if is_valid and not _VERSION.fullmatch(self.request_version):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        return is_valid

    def send_error(self, code: int, *_told: object) -> None:
        """Respond to an invalid request with an empty body."""
        self.request_version = self.protocol_version  # HTTP/0.9, the default, has no status
        self.send_response(code)
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_error(self, name: str, *told: object) -> None:
        """Log an internal error; invalid requests are not logged."""
        if isinstance(self.server, _Server) and told and isinstance(told[0], Exception):
            self.server.log(Level.ERROR, "http_failed", error=f"{name}: {told[0]}")

    def log_message(self, *_told: object) -> None:
        """Do not log requests."""

    def _send(self, *, has_body: bool) -> None:
        self.connections.heard(self.connection)
        hosts = self.headers.get_all("Host", [])
        asked = Asked(
            target=self.path,
            authorization=self.headers.get("Authorization", ""),
            host=hosts[0] if len(hosts) == 1 else "",
        )
        try:
            answer = type(self).answer(asked)
        except Exception as error:  # noqa: BLE001 - every request gets a response
            self.log_error(type(error).__name__, error)
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        with answer.body:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.size))
            self.end_headers()
            if has_body:
                shutil.copyfileobj(answer.body, self.wfile)
