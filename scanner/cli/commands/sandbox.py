"""`keyvigil sandbox serve`: the stand-in for OpenAI's Administration API, on loopback."""

from typing import Annotated, Final

import typer

from scanner.cli.commands.plain import Command, group
from scanner.sandbox.quirk import Quirk

app = group("A made-up organization behind a faithful Administration API.")

_PER_LISTING: Final = "[LISTING=]NUMBER"
_Texts = list[str] | None
_Latency = Annotated[
    _Texts,
    typer.Option(metavar=_PER_LISTING, help="Let every answer take so many milliseconds."),
]
_Rate = Annotated[
    _Texts,
    typer.Option(metavar=_PER_LISTING, help="Answer 429 beyond so many requests a second."),
]
_Fail = Annotated[
    _Texts,
    typer.Option(
        metavar=_PER_LISTING, help="Let this share of the requests, 0 to 1, fail in many ways."
    ),
]
_Stall = Annotated[
    _Texts, typer.Option(metavar=_PER_LISTING, help="Never answer this share of the requests.")
]
_Drift = Annotated[
    _Texts,
    typer.Option(
        metavar=_PER_LISTING, help="Let this share of the pages repeat an item of the one before."
    ),
]
_Deny = Annotated[
    _Texts,
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


@app.callback()
def _sandbox() -> None:
    """Keep `serve` a word of its own while it is the only command here."""


@app.command(cls=Command)
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
    from scanner.cli.sandbox import Wanted, serve
    from scanner.wiring import sandbox_organization

    wanted = Wanted(
        latency_ms=latency_ms or (),
        rate=rate or (),
        fail=fail or (),
        stall=stall or (),
        drift=drift or (),
        deny=deny or (),
    )
    organization = sandbox_organization(
        seed=seed, projects=projects, keys_per_project=keys_per_project, quirks=quirk or ()
    )
    serve(organization, port, seed, wanted)
