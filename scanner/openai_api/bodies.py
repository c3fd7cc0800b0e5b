"""The body of a response, read up to a limit: on the wire, and again once decompressed.

httpx2 decompresses whatever it receives: a megabyte can become a gigabyte.
"""

import asyncio
import zlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import httpx2

MIB: Final = 1024 * 1024
MAX_BODY: Final = 32 * MIB
"""Bytes of one response, on the wire and decompressed: a page has some 30,000 at most usage."""
MAX_ERROR: Final = MIB
"""Bytes of a response that is not 200; a larger one has no message."""
MAX_VALUES: Final = 2_000_000
MAX_OBJECTS: Final = 200_000
"""Commas, and objects and lists, in one response: parsed, they take up more than their text."""
LARGE: Final = 2 * MIB
"""Bytes that every request may hold; one at a time may hold more."""
HEADERS: Final = {"Accept-Encoding": "gzip"}
_PIECE: Final = 65_536
_GZIP: Final = 16 + zlib.MAX_WBITS
_NO_LENGTH: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class TooLargeError(httpx2.DecodingError):
    """A response with status 200 is larger than MAX_BODY, MAX_VALUES or MAX_OBJECTS."""


class Reading:
    """Reads bodies; of the large ones, one after the other."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def read(self, response: httpx2.Response) -> httpx2.Response:
        """Return a response with its body read and decompressed.

        Raise TooLargeError, or DecodingError for a compression that was not requested.
        """
        is_ok = response.status_code == HTTPStatus.OK
        limit = MAX_BODY if is_ok else MAX_ERROR
        try:
            wire = await self._wire(response, limit)
            body = _decompressed(wire, response.headers.get("content-encoding", ""), limit)
            _check_values(body)
        except httpx2.DecodingError:
            if is_ok:
                raise
            body = b""
            response.headers["x-should-retry"] = "false"  # it would be as large again
        kept = [(name, text) for name, text in response.headers.raw if not _is_dropped(name)]
        return httpx2.Response(
            response.status_code, headers=kept, content=body, request=response.request
        )

    async def _wire(self, response: httpx2.Response, limit: int) -> bytes:
        length = response.headers.get("content-length", "")
        if length.isascii() and length.isdecimal() and (len(length) > 12 or int(length) > limit):  # noqa: PLR2004 - a terabyte
            raise _too_large(limit)
        body = bytearray()
        is_alone = False
        try:
            async for piece in response.aiter_raw(_PIECE):
                body += piece
                if len(body) > limit:
                    raise _too_large(limit)
                if len(body) > LARGE and not is_alone:
                    is_alone = await self._turn.acquire()
        finally:
            if is_alone:
                self._turn.release()
        return bytes(body)


def _is_dropped(name: bytes) -> bool:
    return name.decode("latin-1").lower() in _NO_LENGTH


def _decompressed(wire: bytes, encoding: str, limit: int) -> bytes:
    match encoding.strip().lower():
        case "" | "identity":
            return wire
        case "gzip" | "x-gzip":
            _check_size(wire, limit)
            return b"".join(_inflated(wire))
    raise httpx2.DecodingError("the response is compressed, but not with gzip")


def _check_size(wire: bytes, limit: int) -> None:
    """Raise TooLargeError if a body decompresses to more, before any of it takes up memory."""
    size = 0
    for piece in _inflated(wire):
        size += len(piece)
        if size > limit:
            raise _too_large(limit)


def _check_values(body: bytes) -> None:
    """Raise TooLargeError for more values than any listing has, before they are parsed."""
    if body.count(b",") > MAX_VALUES:
        raise TooLargeError(f"the response has more than {MAX_VALUES:,} values")
    if body.count(b"{") + body.count(b"[") > MAX_OBJECTS:
        raise TooLargeError(f"the response has more than {MAX_OBJECTS:,} objects and lists")


def _inflated(wire: bytes) -> Iterator[bytes]:
    """Yield the pieces of a gzip body; where it is cut off, those that came."""
    member = zlib.decompressobj(_GZIP)
    try:
        for start in range(0, len(wire), _PIECE):
            left = wire[start : start + _PIECE]
            while left and not member.eof:
                yield member.decompress(left, MIB)
                left = member.unconsumed_tail
        while piece := member.decompress(b"", MIB):
            yield piece
    except zlib.error as error:
        raise httpx2.DecodingError(f"the response is not valid gzip: {error}") from None


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the response is larger than {limit // MIB} MiB")
