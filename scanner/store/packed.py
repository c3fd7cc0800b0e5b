"""A scan's history as reported, packed, so that its report can be rendered again later.

Gzipped JSON: `standings`, `nights` and `closed`, as defined in lifecycle.py.
"""

import gzip
import zlib
from typing import Final

from pydantic import TypeAdapter

from scanner.lifecycle import History

_ADAPTER: Final = TypeAdapter(History)


def pack(history: History) -> bytes:
    """Pack a history; equal histories result in equal bytes."""
    return gzip.compress(_ADAPTER.dump_json(history), compresslevel=1, mtime=0)


def unpack(content: bytes) -> History:
    """Unpack a history; raise ValueError for anything else."""
    try:
        return _ADAPTER.validate_json(gzip.decompress(content))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from None
