"""Snapshots: an inventory on disk, for evaluation without requests to the API.

`keyvigil.snapshot/1` is gzipped JSON: `schema`, `taken_at`, `inventory` as inventory.py has it.
"""

import gzip
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal

from pydantic import TypeAdapter, ValidationError

from scanner.errors import UsageError
from scanner.inventory import Inventory

SCHEMA: Final = "keyvigil.snapshot/1"
_MAX_BYTES: Final = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An inventory and the time at which its collection started."""

    schema: Literal["keyvigil.snapshot/1"] = SCHEMA
    taken_at: datetime
    inventory: Inventory


_ADAPTER: Final = TypeAdapter(Snapshot)


def render_snapshot(snapshot: Snapshot) -> bytes:
    """Return the snapshot's file; equal snapshots give equal bytes."""
    return gzip.compress(_ADAPTER.dump_json(snapshot), compresslevel=6, mtime=0)


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot's file; raise UsageError for anything else."""
    try:
        with path.open("rb") as file:
            return parse_snapshot(file, str(path))
    except OSError as error:
        raise _no_snapshot(str(path), error.strerror or str(error)) from None


def parse_snapshot(packed: BinaryIO, name: str) -> Snapshot:
    """Read a snapshot; raise UsageError, which contains `name`, for anything else."""
    try:
        with gzip.open(packed) as file:
            content = file.read(_MAX_BYTES + 1)
    except gzip.BadGzipFile:
        raise _no_snapshot(name, "it is not gzipped") from None
    except (EOFError, zlib.error):
        raise _no_snapshot(name, "it is truncated or damaged") from None
    if len(content) > _MAX_BYTES:
        raise _no_snapshot(name, f"it has more than {_MAX_BYTES:,} bytes")
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _no_snapshot(name, f"{place}: {first['msg']}" if place else first["msg"]) from None


def _no_snapshot(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name} is not a valid {SCHEMA}: {why}.",
        help="Choose a file that keyvigil scan --snapshot wrote.",
    )
