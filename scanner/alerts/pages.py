"""Pages that a proxy or a login returns instead of the receiver's confirmation."""

from typing import Final

import httpx2

PLAIN: Final = {"accept-encoding": "identity"}
"""Headers that request a body which need not be decompressed."""
PROXIES_AND_TRUST: Final = "HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE"
_HEAD: Final = 512
"""Bytes of a response that are examined, after any white space."""
_BLANKS: Final = 65_536
"""Bytes of white space that are skipped."""
_KINDS: Final = ("text/html", "application/xhtml+xml")


def head(answer: httpx2.Response) -> bytes:
    """Return the beginning of a streamed body, without leading white space."""
    blanks = 0
    for piece in answer.iter_raw(_HEAD):
        start = piece[:_HEAD].removeprefix(b"\xef\xbb\xbf").strip()
        blanks += len(piece)
        if start or blanks > _BLANKS:
            return start
    return b""


def is_page(answer: httpx2.Response, start: bytes) -> bool:
    """Whether a response with this beginning is HTML or XML, which no receiver returns.

    A response declared as HTML is a page if it has a tag, or is compressed without a request.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_compressed = answer.headers.get("content-encoding", "identity") != "identity"
    return start.startswith(b"<") or (kind in _KINDS and (is_compressed or b"<" in start))
