"""Who keeps a place, and who is hung up on."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scanner.daemon.connections import Connections, Limits


def is_over(connection: socket.socket) -> bool:
    """Whether the other side has hung up; raises TimeoutError if it only says nothing."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


class Clock:
    """A clock that a test sets."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


class Lines:
    """Connections of which both ends are at hand."""

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


def test_a_request_has_its_time_as_a_whole_and_an_answer_takes_what_it_takes(lines: Lines) -> None:
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


def test_for_one_too_many_the_oldest_makes_room_first_of_those_that_still_ask(lines: Lines) -> None:
    connections = Connections(Limits(most=2, clock=Clock()))
    answered, asking, third, fourth = (lines.make() for _ in range(4))
    connections.begin(answered)
    connections.heard(answered)
    connections.begin(asking)
    assert lines.hung_up() == []
    connections.begin(third)
    assert lines.hung_up() == [asking]
    connections.heard(asking)  # too late: it has no place any more
    connections.heard(third)
    connections.begin(fourth)
    assert lines.hung_up() == [answered, asking]


def test_a_place_that_was_given_back_is_free(lines: Lines) -> None:
    connections = Connections(Limits(most=1, clock=Clock()))
    for _ in range(3):
        connection = lines.make()
        connections.begin(connection)
        connections.heard(connection)
        connections.end(connection)
    assert lines.hung_up() == []


def test_who_has_gone_already_is_no_trouble(lines: Lines) -> None:
    connections = Connections(Limits(most=1, clock=Clock()))
    gone = lines.make()
    connections.begin(gone)
    gone.close()
    connections.begin(lines.make())
    connections.look()
