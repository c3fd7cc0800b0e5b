"""A mail server whose reply does not end, and one that names another server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from scanner.alerts.mail_connection import MAX_REPLY
from scanner.errors import AlertError
from tests.alerts.mail_server import HOST, Post, serving_mail
from tests.alerts.mailing import DELIVERY, a_sink
from tests.alerts.making import Notes, no_page

LINE = b"220-" + b"x" * 900 + b"\r\n"


@contextmanager
def endless(greeting: bytes) -> Iterator[tuple[int, list[int]]]:
    """Serve one connection: a greeting, then a reply of 1 GB; yields the port and bytes sent."""
    sent: list[int] = []
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.settimeout(10)
                connection.sendall(greeting)
                if greeting:
                    connection.recv(1_000)
                for _ in range(2**30 // len(LINE)):
                    connection.sendall(LINE)
                    sent.append(len(LINE))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], sent
        thread.join()


@pytest.mark.parametrize("greeting", [b"", b"220 ready\r\n"])
def test_a_reply_without_end_is_no_delivery(greeting: bytes) -> None:
    with endless(greeting) as (port, sent), pytest.raises(AlertError):
        a_sink(port)(DELIVERY, Notes(), no_page)
    assert sum(sent) < MAX_REPLY + 2**24  # what the sockets hold besides


def test_another_mail_server_receives_nothing() -> None:
    post, foreign = Post(), Post()
    with serving_mail(foreign) as elsewhere, serving_mail(post) as port:
        for address in ("ada@example.com", "bob@example.com"):
            post.refused[address] = f"551 5.1.6 please try <{address}> at [{HOST}]:{elsewhere}"
        with pytest.raises(AlertError):
            a_sink(port)(DELIVERY, Notes(), no_page)
    assert post.commands
    assert not foreign.commands
    assert not foreign.arrived
