"""A scan's history as it was reported, packed: it is rendered again from this, whatever came later.

Gzipped JSON: `standings`, `nights` and `closed`, as lifecycle.py has them.
"""

import gzip
import zlib
from typing import Final

from pydantic import TypeAdapter

from scanner.lifecycle import History

_ADAPTER: Final = TypeAdapter(History)


def pack(history: History) -> bytes:
    """Return the history, packed; equal histories give equal bytes."""
    return gzip.compress(_ADAPTER.dump_json(history), compresslevel=1, mtime=0)


def unpack(content: bytes) -> History:
    """Return a history that was packed; raise ValueError for anything else."""
    try:
        return _ADAPTER.validate_json(gzip.decompress(content))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from None
