"""Serves the sandbox on a loopback port, in its own thread."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from scanner.errors import UsageError
from scanner.sandbox.app import AsgiApp

HOST: Final = "127.0.0.1"
_START_LIMIT: Final = 60.0
"""Seconds."""


@contextmanager
def serving(app: AsgiApp, port: int = 0) -> Iterator[str]:
    """Serve `app` on loopback while the context lasts; yields its base URL. Port 0: any free one.

    Raise UsageError if the port is in use.
    """
    # With IPPROTO_TCP, asyncio sets TCP_NODELAY; else each response is delayed by about 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"The sandbox cannot listen on {HOST}:{port}: {error.strerror}.",
                help="Set --port to another port, or to 0 for any free one.",
            ) from None
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                date_header=False,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        thread = threading.Thread(
            target=server.run, args=([listener],), name="sandbox", daemon=True
        )
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://{HOST}:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    limit = time.monotonic() + _START_LIMIT
    while not server.started:
        if not thread.is_alive() or time.monotonic() > limit:
            raise UsageError("The sandbox did not start.")
        time.sleep(0.005)
