"""`keyvigil sandbox serve`: the stand-in for OpenAI's Administration API, on loopback."""

import threading
from contextlib import suppress
from typing import Annotated

import typer

from scanner.cli.console import out, say
from scanner.wiring import sandbox_organization, serve_sandbox

app = typer.Typer(
    no_args_is_help=True, help="A made-up organization behind a faithful Administration API."
)


@app.callback()
def _sandbox() -> None:
    """Keep `serve` a word of its own while it is the only command here."""


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
) -> None:
    """Serve a seeded organization until stopped. Prints what to set to scan it."""
    organization = sandbox_organization(
        seed=seed, projects=projects, keys_per_project=keys_per_project
    )
    with suppress(KeyboardInterrupt), serve_sandbox(organization, port) as settings:
        out.print(f"export OPENAI_BASE_URL={settings.base_url}", soft_wrap=True)
        out.print(f"export OPENAI_ADMIN_KEY={settings.admin_key.reveal()}", soft_wrap=True)
        say(
            f"Serving {organization.key_count():,} keys, {organization.hidden_key_count():,} of"
            " which an ordinary listing hides. Set these two variables in another shell and run"
            " keyvigil scan there. Ctrl-C stops."
        )
        threading.Event().wait()
    say("Stopped.")
