"""Which connections are kept, and which are shut down."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scanner.daemon.connections import Connections, Limits


def is_over(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection; raise TimeoutError if it is idle."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


class Clock:
    """A clock set by a test."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


class Lines:
    """Pairs of connected sockets."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._far: dict[socket.socket, socket.socket] = {}

    def make(self) -> socket.socket:
        near, far = (self._stack.enter_context(end) for end in socket.socketpair())
        far.settimeout(0)
        self._far[near] = far
        return near

    def hung_up(self) -> list[socket.socket]:
        return [near for near, far in self._far.items() if _is_over_now(far)]


def _is_over_now(connection: socket.socket) -> bool:
    try:
        return is_over(connection)
    except BlockingIOError:
        return False


@pytest.fixture
def lines() -> Iterator[Lines]:
    with ExitStack() as stack:
        yield Lines(stack)


def test_a_request_has_a_time_limit_and_a_response_has_none(lines: Lines) -> None:
    clock = Clock()
    connections = Connections(Limits(patience=10, clock=clock))
    slow, heard, ended = (lines.make() for _ in range(3))
    for connection in (slow, heard, ended):
        connections.begin(connection)
    connections.heard(heard)
    connections.end(ended)
    clock.at = 9.9
    later = lines.make()
    connections.begin(later)
    connections.look()
    assert lines.hung_up() == []
    clock.at = 10
    connections.look()
    assert lines.hung_up() == [slow]
    clock.at = 19.9
    connections.look()
    assert lines.hung_up() == [slow, later]


def test_above_the_limit_the_oldest_incomplete_request_is_shut_down(lines: Lines) -> None:
    connections = Connections(Limits(most=2, clock=Clock()))
    answered, asking, third, fourth = (lines.make() for _ in range(4))
    connections.begin(answered)
    connections.heard(answered)
    connections.begin(asking)
    assert lines.hung_up() == []
    connections.begin(third)
    assert lines.hung_up() == [asking]
    connections.heard(asking)  # too late: it was removed
    connections.heard(third)
    connections.begin(fourth)
    assert lines.hung_up() == [answered, asking]


def test_an_ended_connection_frees_its_place(lines: Lines) -> None:
    connections = Connections(Limits(most=1, clock=Clock()))
    for _ in range(3):
        connection = lines.make()
        connections.begin(connection)
        connections.heard(connection)
        connections.end(connection)
    assert lines.hung_up() == []


def test_a_connection_closed_by_the_client_is_not_an_error(lines: Lines) -> None:
    connections = Connections(Limits(most=1, clock=Clock()))
    gone = lines.make()
    connections.begin(gone)
    gone.close()
    connections.begin(lines.make())
    connections.look()
