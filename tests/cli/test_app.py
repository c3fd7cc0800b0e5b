import re
import subprocess
from pathlib import Path

import pytest

from scanner.cli import app
from scanner.cli.console import show_error
from scanner.errors import (
    ApiFailed,
    CredentialError,
    KeyVigilError,
    OutputError,
    PolicyError,
    Problem,
    UsageError,
)
from tests.cli.running import COMMAND, environment, keyvigil, keyvigil_anew
from tests.conftest import ROOT

KEY = "sk-admin-0123456789abcdefghijklmnop"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (CredentialError("x"), 2),
        (PolicyError((Problem(file="p", line=1, column=1, message="m"),)), 2),
        (ApiFailed("x", endpoint="GET /"), 3),
        (OutputError("x"), 3),
    ],
)
def test_every_error_has_its_exit_code(error: KeyVigilError, code: int) -> None:
    assert show_error(error) == code


def test_an_error_says_what_happened_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(ApiFailed(f"{KEY} \x1b[1m", endpoint="GET /", request_id="req_1", help="Wait."))
    assert capsys.readouterr().err.splitlines() == [
        r"error: sk-*** \u{1b}[1m",
        "help: Wait.",
        "request id: req_1",
    ]


def test_a_bug_is_reported_without_a_traceback_or_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_given: object) -> None:
        raise RuntimeError(f"with {KEY}")

    monkeypatch.setattr(app, "app", broken)
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert caught.value.code == 3
    error, advice = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert error.endswith(": RuntimeError: with sk-***")
    assert advice.startswith("help: ")
    assert "KEYVIGIL_DEBUG=1" in advice


def test_an_interruption_that_broke_the_printing_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(**_given: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("release unlocked lock")

    monkeypatch.setattr(app, "app", interrupted)
    with pytest.raises(KeyboardInterrupt):
        app.main()


@pytest.mark.slow
def test_the_version_is_printed() -> None:
    ran = keyvigil("--version")
    assert (ran.code, ran.out) == (0, "keyvigil 0.1.0\n")


@pytest.mark.slow
def test_without_a_command_there_is_help() -> None:
    ran = keyvigil()
    assert (ran.code, ran.out) == (2, "")
    assert "scan" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("alerts", "preview"),
        ("config", "show"),
        ("diff", "previous", "latest"),
        ("history",),
        ("init",),
        ("report",),
        ("revoke", "plan"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_loads_all_that_it_needs(words: tuple[str, ...], tmp_path: Path) -> None:
    """In a new process: other tests run it in one that has loaded everything."""
    ran = keyvigil_anew(*words, cwd=tmp_path, env={"KEYVIGIL_STORE": str(tmp_path / "h.db")})
    assert ran.code in {0, 2}
    assert "failed" not in ran.err


@pytest.mark.slow
def test_a_terminal_that_knows_only_ascii_gets_ascii(tmp_path: Path) -> None:
    ran = keyvigil("demo", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii", "COLUMNS": "80"})
    assert ran.code == 0
    assert ran.out.isascii()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_that_is_full_is_one_clear_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, "policies", "show", "baseline"],
            cwd=tmp_path,
            env=environment({"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    first = done.stderr.splitlines()[0]
    assert first.startswith("error: ")
    assert first.endswith(": No space left on device.")


def test_a_renamed_option_is_rejected_with_its_present_name() -> None:
    ran = keyvigil("scan", "--at-once", "2")
    assert ran.code == 2
    (advice,) = (line for line in ran.err.splitlines() if line.startswith("help: "))
    assert "--at-once" in advice
    assert "--parallel" in advice


def test_brief_help_fits_a_screen_and_all_of_it_has_every_option() -> None:
    brief = keyvigil("scan", "--help", env={"COLUMNS": "80"}).out
    whole = keyvigil("scan", "--help-all", env={"COLUMNS": "80"}).out
    assert len(brief.splitlines()) <= 60
    assert "Examples:" in brief
    options = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", whole, re.MULTILINE))
    assert options == set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", brief, re.MULTILINE))
    assert "KEYVIGIL_OUTPUT" in whole


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("scan", "--format", "json"), "--output json=-"),
        (("scan", "--json"), "--output json=-"),
        (("history", "show"), "keyvigil report --from SCAN"),
    ],
)
def test_words_of_other_tools_lead_to_ours(arguments: tuple[str, ...], hint: str) -> None:
    ran = keyvigil(*arguments)
    assert ran.code == 2
    assert hint in ran.err


def test_no_hidden_option_is_suggested() -> None:
    ran = keyvigil("scan", "--accoun", "x")
    assert ran.code == 2
    assert "--account" not in ran.err


def test_quiet_prints_errors_only(tmp_path: Path) -> None:
    ran = keyvigil("scan", "--quiet", "--from", str(tmp_path / "missing"))
    assert (ran.code, ran.out) == (2, "")
    assert "error: " in ran.err


def test_a_shell_can_complete_commands_and_options() -> None:
    words = {"_KEYVIGIL_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "keyvigil sca"}
    assert keyvigil(env=words).out.split() == ["scan"]
