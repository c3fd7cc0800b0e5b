"""Limits of the open connections: their number, and the time for sending a request."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

Connection = Any
"""A socket, as the standard library's server passes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The maximum of open connections, and the seconds of `clock` that each request may take."""

    most: int = 32
    patience: float = 10.0
    clock: Callable[[], float] = monotonic


class Connections:
    """Tracks connections, and shuts down those that are too slow.

    A connection may only be closed after `end`: its file descriptor could be reused before.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits: Final = limits
        self._lock = threading.Lock()
        self._asking: dict[Connection, float] = {}  # deadlines; oldest first, as below
        self._answered: dict[Connection, None] = {}

    def begin(self, connection: Connection) -> None:
        """Add a connection; at the maximum, shut down the oldest one.

        Connections that are still sending their request go first: they are slow.
        """
        with self._lock:
            if len(self._asking) + len(self._answered) >= self._limits.most:
                self._hang_up(next(iter(self._asking or self._answered)))
            self._asking[connection] = self._limits.clock() + self._limits.patience

    def heard(self, connection: Connection) -> None:
        """Record that a request is complete; its response follows."""
        with self._lock:
            if self._asking.pop(connection, None) is not None:
                self._answered[connection] = None

    def end(self, connection: Connection) -> None:
        """Remove a connection."""
        with self._lock:
            self._forget(connection)

    def look(self) -> None:
        """Shut down connections whose request is incomplete at its deadline, even if active."""
        with self._lock:
            now = self._limits.clock()
            for connection in [one for one, until in self._asking.items() if until <= now]:
                self._hang_up(connection)

    def _hang_up(self, connection: Connection) -> None:
        self._forget(connection)
        with suppress(OSError):  # closed by the client
            connection.shutdown(socket.SHUT_RDWR)  # its thread then closes it

    def _forget(self, connection: Connection) -> None:
        self._asking.pop(connection, None)
        self._answered.pop(connection, None)
