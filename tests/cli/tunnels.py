"""What stands between a scan and the API: TLS of one's own, and a proxy."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that vouches for itself, and its key."""
    certificate, key = folder / "ca.pem", folder / "server.key"
    subprocess.run(  # noqa: S603 - fixed words
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextmanager
def tls(url: str, certificate: Path, key: Path) -> Iterator[str]:
    """Serve what is at `url` over TLS; yields where."""
    to = urlsplit(url)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _join(reader, writer, to.hostname or "", to.port or 0)

    with _listening(handle, context) as port:
        yield f"https://127.0.0.1:{port}{to.path}"


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Serve a tunnelling proxy; yields its address and the heads of its requests."""
    asked: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head)
        host, _, port = head.split()[1].rpartition(":")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _join(reader, writer, host, int(port))

    with _listening(handle, None) as port:
        yield f"127.0.0.1:{port}", asked


@contextmanager
def _listening(handle: Handler, context: ssl.SSLContext | None) -> Iterator[int]:
    ready = threading.Event()
    ports: list[int] = []
    stops: list[Callable[[], object]] = []

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client disconnected
        finally:
            writer.close()

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(quietly, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield ports[0]
    finally:
        stops[0]()
        thread.join()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    """Carry bytes both ways until one side ends."""
    far_reader, far_writer = await asyncio.open_connection(host, port)

    async def carry(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
        while data := await one.read(65536):
            other.write(data)
            await other.drain()

    both = [
        asyncio.ensure_future(carry(reader, far_writer)),
        asyncio.ensure_future(carry(far_reader, writer)),
    ]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in both:
            one.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        far_writer.close()
