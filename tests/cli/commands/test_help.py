import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer

from scanner.cli.app import SUMMARIES, app
from tests.cli.running import environment, keyvigil

DEAR = ("pydantic", "rich", "httpx2", "jinja2", "sqlalchemy", "yaml", "asyncio")
"""What takes longer to load than all that a help needs."""
LOOK = f"""
import json, sys
from scanner.cli.app import app

def helped(words):
    try:
        app([*words, "--help"], standalone_mode=False)
    except SystemExit:
        pass
    return [name for name in {DEAR!r} if name in sys.modules]

real, sys.stdout = sys.stdout, open("/dev/null", "w")
found = {{" ".join(words): helped(words) for words in json.loads(sys.argv[1])}}
json.dump(found, real)
"""


def commands(found: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of groups too."""
    yield words
    for name, one in getattr(found, "commands", {}).items():
        yield from commands(one, (*words, name))


EVERY = tuple(commands(typer.main.get_command(app)))


@pytest.mark.slow
def test_no_help_loads_what_takes_long() -> None:
    ran = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", LOOK, json.dumps(EVERY)],
        env=environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == {" ".join(words): [] for words in EVERY}


@pytest.mark.parametrize("name", SUMMARIES)
def test_what_is_said_of_a_command_among_all_is_how_its_own_help_begins(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(f"scanner.cli.commands.{name}").app)
    assert command.get_short_help_str(1_000) == SUMMARIES[name]


def test_each_file_of_commands_is_among_all() -> None:
    folder = importlib.import_module("scanner.cli.commands").__path__[0]
    found = {info.name for info in pkgutil.iter_modules([folder])}
    assert found - {"plain"} == set(SUMMARIES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "error", "help_"),
    [
        (["scna"], "No such command 'scna'. Did you mean 'scan'?", "keyvigil --help"),
        (["revoke", "aply"], "No such command 'aply'. Did you mean 'apply'?", "keyvigil revoke"),
        (["scan", "--bad"], "No such option: --bad", "keyvigil scan --help"),
        (["revoke", "apply"], "Missing argument 'PLAN'.", "keyvigil revoke apply --help"),
        (
            ["history", "prume"],
            "Invalid value for 'prune|unlock': 'prume' is not one of 'prune', 'unlock'.",
            "keyvigil history --help",
        ),
    ],
)
def test_a_mistake_in_the_words_is_one_error_that_says_where_help_is(
    words: list[str], error: str, help_: str
) -> None:
    ran = keyvigil(*words)
    told, where = ran.err.splitlines()
    assert (ran.code, ran.out, told) == (2, "", f"error: {error}")
    assert where.startswith(f"help: {help_}")


@pytest.mark.slow
def test_options_stand_under_headings_and_exit_codes_in_lines_of_their_own() -> None:
    help_ = keyvigil("scan", "--help-all").out
    headings = re.findall(r"^([A-Z]\w+):$", help_, re.MULTILINE)
    assert headings == ["Input", "Policy", "Reports", "History", "Connection", "Options"]
    assert "\n    3  the scan failed or is incomplete\n" in help_
