"""`keyvigil sandbox serve`: a local Administration API with a fictional organization."""

from typing import Annotated, Final

import typer

from scanner.cli.commands.plain import Command, group
from scanner.sandbox.quirk import Quirk

app = group("Serve a fictional organization over a local Administration API.")

_PER_LISTING: Final = "[LISTING=]NUMBER"
_Texts = list[str] | None
_Latency = Annotated[
    _Texts,
    typer.Option(metavar=_PER_LISTING, help="Latency of every response, in milliseconds."),
]
_Rate = Annotated[
    _Texts,
    typer.Option(metavar=_PER_LISTING, help="Respond 429 above this many requests a second."),
]
_Fail = Annotated[
    _Texts,
    typer.Option(metavar=_PER_LISTING, help="Share of requests that fail in various ways, 0 to 1."),
]
_Stall = Annotated[
    _Texts, typer.Option(metavar=_PER_LISTING, help="Share of requests that get no response.")
]
_Drift = Annotated[
    _Texts,
    typer.Option(
        metavar=_PER_LISTING, help="Share of pages that repeat an item of the page before."
    ),
]
_Deny = Annotated[
    _Texts,
    typer.Option(
        metavar="LISTING|SCOPE",
        help="Respond 403 for a listing, such as users, or for a missing scope, such as"
        " api.usage.read.",
    ),
]
_Quirk = Annotated[
    list[Quirk] | None,
    typer.Option(
        metavar="QUIRK",
        help=f"Reproduce an observed deviation of the API: {', '.join(Quirk)}.",
    ),
]


@app.callback()
def _sandbox() -> None:
    """Keep `serve` a subcommand while it is the only one."""


@app.command(cls=Command)
def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed generates the same organization.")] = 7,
    projects: Annotated[int, typer.Option(min=1, max=20_000, help="Number of projects.")] = 20,
    keys_per_project: Annotated[
        int, typer.Option(min=0, max=10_000, help="Number of keys in each project.")
    ] = 10,
    latency_ms: _Latency = None,
    rate: _Rate = None,
    fail: _Fail = None,
    stall: _Stall = None,
    drift: _Drift = None,
    deny: _Deny = None,
    quirk: _Quirk = None,
) -> None:
    """Serve a generated organization until stopped; print the variables for a scan of it.

    The same seed generates the same organization and the same faults.

    LISTING= sets a fault for one listing: --fail 0.05 --fail users=1.
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
