"""`keyvigil sandbox serve`: a local replacement of OpenAI's Administration API, on loopback."""

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scanner.cli.console import out, say
from scanner.collection import Collection
from scanner.errors import UsageError
from scanner.sandbox.app import ALL_SCOPES
from scanner.sandbox.faults import EVERYWHERE, Faults
from scanner.sandbox.organization import SandboxOrganization
from scanner.spelling import did_you_mean
from scanner.wiring import serve_sandbox

_LISTINGS: Final = tuple(collection.value for collection in Collection)
_SHARE: Final = (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The requested faults, as typed."""

    latency_ms: Sequence[str] = ()
    rate: Sequence[str] = ()
    fail: Sequence[str] = ()
    stall: Sequence[str] = ()
    drift: Sequence[str] = ()
    deny: Sequence[str] = ()


def _denied(name: str) -> str:
    names = [*_LISTINGS, *sorted(ALL_SCOPES)]
    if name in names:
        return name
    raise UsageError(f"--deny {name}: unknown listing or scope{did_you_mean(name, names)}")


def _by_listing(option: str, given: Sequence[str], bounds: tuple[int, int]) -> dict[str, float]:
    """Read `NUMBER` and `LISTING=NUMBER`; raise UsageError for any other text."""
    lowest, highest = bounds
    read: dict[str, float] = {}
    for text in given:
        listing, equals, number = text.rpartition("=")
        if equals and listing not in _LISTINGS:
            hint = did_you_mean(listing, _LISTINGS)
            raise UsageError(f"{option} {text}: unknown listing '{listing}'{hint}")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not lowest <= value <= highest:
            allowed = f"{lowest:,} to {highest:,}"
            raise UsageError(f"{option} {text}: '{number}' is not a number from {allowed}.")
        read[listing or EVERYWHERE] = value
    return read


def _faults(
    seed: int, numbers: Mapping[str, Mapping[str, float]], denied: Iterable[str]
) -> dict[str, Faults]:
    """Return the faults of each listing; `numbers` are by field of Faults, then by listing."""
    fields: dict[str, dict[str, Any]] = {EVERYWHERE: {"seed": seed}}
    for field, by_listing in numbers.items():
        for listing, number in by_listing.items():
            fields.setdefault(listing, {})[field] = number
    for listing in denied:
        fields.setdefault(listing, {})["is_denied"] = True
    return {listing: Faults(**{**fields[EVERYWHERE], **fields[listing]}) for listing in fields}


def serve(organization: SandboxOrganization, port: int, seed: int, wanted: Wanted) -> None:
    """Serve an organization until stopped; print the variables for a scan of it."""
    denied = [_denied(name) for name in wanted.deny]
    latency = _by_listing("--latency-ms", wanted.latency_ms, (0, 600_000))
    numbers = {
        "latency": {listing: milliseconds / 1000 for listing, milliseconds in latency.items()},
        "rate": _by_listing("--rate", wanted.rate, (1, 1_000_000)),
        "fail": _by_listing("--fail", wanted.fail, _SHARE),
        "stall": _by_listing("--stall", wanted.stall, _SHARE),
        "drift": _by_listing("--drift", wanted.drift, _SHARE),
    }
    faults = _faults(seed, numbers, set(denied) - ALL_SCOPES)
    scopes = ALL_SCOPES.difference(denied)
    with serve_sandbox(organization, port, faults, scopes=scopes) as settings:
        out.print(f"export OPENAI_BASE_URL={settings.base_url}", soft_wrap=True)
        out.print(f"export OPENAI_ADMIN_KEY={settings.admin_key.reveal()}", soft_wrap=True)
        say(
            f"Serving {organization.key_count():,} keys; the API's default listing omits"
            f" {organization.hidden_key_count():,} of them. Set these two variables in another"
            " shell and run keyvigil scan there. Press Ctrl-C to stop."
        )
        threading.Event().wait()
