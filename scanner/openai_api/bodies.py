"""Reading response bodies up to a size limit, both compressed and decompressed.

httpx2 itself has no limit: a compressed megabyte can become a gigabyte.
"""

import asyncio
import zlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import httpx2

MIB: Final = 1024 * 1024
MAX_BODY: Final = 32 * MIB
"""Bytes of one response, compressed and decompressed; the largest real page has about 30,000."""
MAX_ERROR: Final = MIB
"""Bytes of a response whose status is not 200; the message of a larger one is not read."""
MAX_VALUES: Final = 2_000_000
MAX_OBJECTS: Final = 200_000
"""Commas, and objects and lists, in one response: parsed values need more memory than text."""
LARGE: Final = 2 * MIB
"""Bytes that each request may hold in memory; only one request at a time may hold more."""
HEADERS: Final = {"Accept-Encoding": "gzip"}
_PIECE: Final = 65_536
_GZIP: Final = 16 + zlib.MAX_WBITS
_NO_LENGTH: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class TooLargeError(httpx2.DecodingError):
    """A response with status 200 is larger than MAX_BODY, MAX_VALUES or MAX_OBJECTS."""


class Reading:
    """Reads bodies; large bodies are read one at a time."""

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
            response.headers["x-should-retry"] = "false"  # a retry would be as large
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
    """Raise TooLargeError if a body decompresses to more than `limit`, without storing it."""
    size = 0
    for piece in _inflated(wire):
        size += len(piece)
        if size > limit:
            raise _too_large(limit)


def _check_values(body: bytes) -> None:
    """Raise TooLargeError, before parsing, for more values than any listing has."""
    if body.count(b",") > MAX_VALUES:
        raise TooLargeError(f"the response has more than {MAX_VALUES:,} values")
    if body.count(b"{") + body.count(b"[") > MAX_OBJECTS:
        raise TooLargeError(f"the response has more than {MAX_OBJECTS:,} objects and lists")


def _inflated(wire: bytes) -> Iterator[bytes]:
    """Yield the decompressed chunks of a gzip body; of a truncated one, those received."""
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
