"""Pages that a proxy or a login puts in the place of a receiver's confirmation."""

from typing import Final

import httpx2

PLAIN: Final = {"accept-encoding": "identity"}
"""Headers that request a body which need not be decompressed."""
_HEAD: Final = 512
"""Bytes of a response that are read."""


def head(answer: httpx2.Response) -> bytes:
    """Return how the body of a streamed response begins, as it came, without white space."""
    start = next(answer.iter_raw(_HEAD), b"")[:_HEAD]
    return start.removeprefix(b"\xef\xbb\xbf").strip()


def is_page(start: bytes) -> bool:
    """Whether a body that begins so is HTML or XML, which no receiver of ours answers with."""
    return start.startswith(b"<")
