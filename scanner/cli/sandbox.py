"""`keyvigil sandbox serve`: the stand-in for OpenAI's Administration API, on loopback."""

import math
import threading
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from scanner.cli.console import out, say
from scanner.collection import Collection
from scanner.errors import UsageError
from scanner.sandbox.app import ALL_SCOPES
from scanner.sandbox.faults import EVERYWHERE, Faults
from scanner.sandbox.quirk import Quirk
from scanner.spelling import did_you_mean
from scanner.wiring import sandbox_organization, serve_sandbox

app = typer.Typer(
    no_args_is_help=True, help="A made-up organization behind a faithful Administration API."
)

_LISTINGS: Final = tuple(collection.value for collection in Collection)
_PER_LISTING: Final = "[LISTING=]NUMBER"
_SHARE: Final = (0, 1)

Texts = list[str] | None


@app.callback()
def _sandbox() -> None:
    """Keep `serve` a word of its own while it is the only command here."""


def _denied(name: str) -> str:
    names = [*_LISTINGS, *sorted(ALL_SCOPES)]
    if name in names:
        return name
    raise UsageError(f"--deny {name}: there is no such listing or scope{did_you_mean(name, names)}")


def _by_listing(option: str, given: Texts, bounds: tuple[int, int]) -> dict[str, float]:
    """Read `NUMBER` and `LISTING=NUMBER`; raise UsageError for what is neither."""
    lowest, highest = bounds
    read: dict[str, float] = {}
    for text in given or ():
        listing, equals, number = text.rpartition("=")
        if equals and listing not in _LISTINGS:
            hint = did_you_mean(listing, _LISTINGS)
            raise UsageError(f"{option} {text}: there is no listing '{listing}'{hint}")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not lowest <= value <= highest:
            allowed = f"{lowest:,} to {highest:,}"
            raise UsageError(f"{option} {text}: '{number}' is no number of {allowed}.")
        read[listing or EVERYWHERE] = value
    return read


def _faults(
    seed: int, numbers: Mapping[str, Mapping[str, float]], denied: Iterable[str]
) -> dict[str, Faults]:
    """Put each listing's faults together; `numbers` are by field of Faults, then by listing."""
    fields: dict[str, dict[str, Any]] = {EVERYWHERE: {"seed": seed}}
    for field, by_listing in numbers.items():
        for listing, number in by_listing.items():
            fields.setdefault(listing, {})[field] = number
    for listing in denied:
        fields.setdefault(listing, {})["is_denied"] = True
    return {listing: Faults(**{**fields[EVERYWHERE], **fields[listing]}) for listing in fields}


_Latency = Annotated[
    Texts,
    typer.Option(metavar=_PER_LISTING, help="Let every answer take so many milliseconds."),
]
_Rate = Annotated[
    Texts,
    typer.Option(metavar=_PER_LISTING, help="Answer 429 beyond so many requests a second."),
]
_Fail = Annotated[
    Texts,
    typer.Option(
        metavar=_PER_LISTING, help="Let this share of the requests, 0 to 1, fail in many ways."
    ),
]
_Stall = Annotated[
    Texts, typer.Option(metavar=_PER_LISTING, help="Never answer this share of the requests.")
]
_Drift = Annotated[
    Texts,
    typer.Option(
        metavar=_PER_LISTING, help="Let this share of the pages repeat an item of the one before."
    ),
]
_Deny = Annotated[
    Texts,
    typer.Option(
        metavar="LISTING|SCOPE",
        help="Answer 403 for a listing, such as users, or for want of a scope, such as"
        " api.usage.read.",
    ),
]
_Quirk = Annotated[
    list[Quirk] | None,
    typer.Option(
        metavar="QUIRK",
        help=f"Answer as the API has been seen to, now and then: {', '.join(Quirk)}.",
    ),
]


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The loopback port; 0 takes any that is free.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same organization.")] = 7,
    projects: Annotated[int, typer.Option(min=1, max=20_000, help="How many projects.")] = 20,
    keys_per_project: Annotated[
        int, typer.Option(min=0, max=10_000, help="How many keys in each project.")
    ] = 10,
    latency_ms: _Latency = None,
    rate: _Rate = None,
    fail: _Fail = None,
    stall: _Stall = None,
    drift: _Drift = None,
    deny: _Deny = None,
    quirk: _Quirk = None,
) -> None:
    """Serve a seeded organization until stopped. Prints what to set to scan it.

    The same seed makes the same organization and the same faults.

    LISTING= gives one listing faults of its own: --fail 0.05 --fail users=1.
    """
    denied = [_denied(name) for name in deny or []]
    latency = _by_listing("--latency-ms", latency_ms, (0, 600_000))
    numbers = {
        "latency": {listing: milliseconds / 1000 for listing, milliseconds in latency.items()},
        "rate": _by_listing("--rate", rate, (1, 1_000_000)),
        "fail": _by_listing("--fail", fail, _SHARE),
        "stall": _by_listing("--stall", stall, _SHARE),
        "drift": _by_listing("--drift", drift, _SHARE),
    }
    faults = _faults(seed, numbers, set(denied) - ALL_SCOPES)
    organization = sandbox_organization(
        seed=seed, projects=projects, keys_per_project=keys_per_project, quirks=quirk or ()
    )
    scopes = ALL_SCOPES.difference(denied)
    with serve_sandbox(organization, port, faults, scopes=scopes) as settings:
        out.print(f"export OPENAI_BASE_URL={settings.base_url}", soft_wrap=True)
        out.print(f"export OPENAI_ADMIN_KEY={settings.admin_key.reveal()}", soft_wrap=True)
        say(
            f"Serving {organization.key_count():,} keys, {organization.hidden_key_count():,} of"
            " which an ordinary listing hides. Set these two variables in another shell and run"
            " keyvigil scan there. Ctrl-C stops."
        )
        threading.Event().wait()
