"""`keyvigil sandbox serve`: the stand-in for OpenAI's Administration API, on loopback."""

import threading
from typing import Annotated

import typer

from scanner.cli.console import out, say
from scanner.errors import UsageError
from scanner.inventory import Collection
from scanner.policy.problems import did_you_mean
from scanner.sandbox.app import ALL_SCOPES
from scanner.sandbox.faults import Faults
from scanner.wiring import sandbox_organization, serve_sandbox

app = typer.Typer(
    no_args_is_help=True, help="A made-up organization behind a faithful Administration API."
)


@app.callback()
def _sandbox() -> None:
    """Keep `serve` a word of its own while it is the only command here."""


def _denied(name: str) -> str:
    names = [*(collection.value for collection in Collection), *sorted(ALL_SCOPES)]
    if name in names:
        return name
    raise UsageError(f"--deny {name}: there is no such listing or scope{did_you_mean(name, names)}")


_Deny = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LISTING|SCOPE",
        help="Answer 403 for a listing, such as users, or for want of a scope, such as"
        " api.usage.read.",
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
    latency_ms: Annotated[
        float, typer.Option(min=0, help="Wait this long before every answer.")
    ] = 0,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Answer 429 beyond so many requests a second.")
    ] = None,
    fail: Annotated[
        float, typer.Option(min=0, max=1, help="Let this share of the requests fail, in many ways.")
    ] = 0,
    deny: _Deny = None,
) -> None:
    """Serve a seeded organization until stopped. Prints what to set to scan it.

    The same seed makes the same organization and the same faults.
    """
    denied = [_denied(name) for name in deny or []]
    faults = Faults(
        seed=seed,
        latency=latency_ms / 1000,
        rate=rate,
        fail=fail,
        deny=frozenset(denied) - ALL_SCOPES,
    )
    organization = sandbox_organization(
        seed=seed, projects=projects, keys_per_project=keys_per_project
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
