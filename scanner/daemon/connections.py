"""The connections under way: not many at once, and nobody keeps a place by being slow."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

Connection = Any
"""A socket, as the system's own server hands it around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many connections at once, and how many seconds of `clock` each has for its request."""

    most: int = 32
    patience: float = 10.0
    clock: Callable[[], float] = monotonic


class Connections:
    """Keeps account of connections, and hangs up on those that hold a place for too long.

    Nothing may be closed before `end`: the system gives its number to another file.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits: Final = limits
        self._lock = threading.Lock()
        self._asking: dict[Connection, float] = {}  # until when; the oldest first, as below
        self._answered: dict[Connection, None] = {}

    def begin(self, connection: Connection) -> None:
        """Give a place, if need be that of the oldest: of those that ask, or else of all.

        A request is sent at once: who is still at it when all places are taken is slow.
        """
        with self._lock:
            if len(self._asking) + len(self._answered) >= self._limits.most:
                self._hang_up(next(iter(self._asking or self._answered)))
            self._asking[connection] = self._limits.clock() + self._limits.patience

    def heard(self, connection: Connection) -> None:
        """Note that a request is whole, and is answered from now on."""
        with self._lock:
            if self._asking.pop(connection, None) is not None:
                self._answered[connection] = None

    def end(self, connection: Connection) -> None:
        """Take the place back."""
        with self._lock:
            self._forget(connection)

    def look(self) -> None:
        """Hang up on those whose request is not whole in time, however often they said a letter."""
        with self._lock:
            now = self._limits.clock()
            for connection in [one for one, until in self._asking.items() if until <= now]:
                self._hang_up(connection)

    def _hang_up(self, connection: Connection) -> None:
        self._forget(connection)
        with suppress(OSError):  # the other side was faster
            connection.shutdown(socket.SHUT_RDWR)  # its thread finds the end, and closes it

    def _forget(self, connection: Connection) -> None:
        self._asking.pop(connection, None)
        self._answered.pop(connection, None)
