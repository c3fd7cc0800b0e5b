"""JSON messages: every line of stderr is a JSON object, errors included."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.cli.console import ExitCode, err, say, show_error
from scanner.cli.log_lines import fields_of_error, fields_of_result, log_line
from scanner.daemon.events import Level
from scanner.errors import (
    ApiFailed,
    KeyVigilError,
    LockLost,
    PolicyError,
    Problem,
    StoreError,
    StoreLocked,
    UsageError,
)
from scanner.formats.visit import unseen
from scanner.sandbox.app import SandboxApp
from scanner.sandbox.builder import Builder
from scanner.sandbox.server import serving
from scanner.wiring import now
from tests.cli.running import Ran, keyvigil, sandbox
from tests.factories import a_result

KEY = "sk-admin-0123456789abcdefghijklmnop"
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def read(text: str) -> list[dict[str, Any]]:
    """Every line, with its time checked and taken away."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert list(line)[:3] == ["ts", "level", "event"]
        assert STAMP.fullmatch(line.pop("ts"))
    return lines


@given(st.text(), st.dictionaries(st.text(min_size=4), st.text() | st.lists(st.text())))
def test_whatever_is_told_is_one_line_of_plain_ascii(event: str, fields: dict[str, Any]) -> None:
    line = log_line(Level.INFO, event, fields)
    assert line.isascii()
    assert line.isprintable()
    assert set(json.loads(line)) == {"ts", "level", "event", *fields}


def test_secrets_are_masked_wherever_they_stand() -> None:
    line = log_line(Level.INFO, KEY, {"one": KEY, "many": [{"deep": f"x {KEY}"}], "none": None})
    assert read(line) == [
        {"level": "info", "event": "sk-***", "one": "sk-***", "many": [{"deep": "x sk-***"}]}
    ]


def test_what_an_error_says_stands_in_fields() -> None:
    error = ApiFailed("x", endpoint="GET /x", request_id="req_1", help="Wait.")
    assert fields_of_error(error) == {
        "error": "api_failed",
        "help": "Wait.",
        "endpoint": "GET /x",
        "request_id": "req_1",
        "problems": None,
    }
    problem = Problem(file="p", line=1, column=2, message="m")
    assert fields_of_error(PolicyError((problem,)))["problems"] == [
        {"file": "p", "line": 1, "column": 2, "message": "m"}
    ]


def test_a_results_figures_are_its_totals() -> None:
    result = a_result()
    told = fields_of_result(result)
    assert sum(told["violations"].values()) == len(result.violations)
    assert (told["keys"], told["complete"]) == (result.keys, False)
    assert told["gaps"] == unseen(result).splitlines() != []


def test_messages_for_machines_have_the_same_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(err, "is_log", True)
    assert show_error(UsageError("No.\x1b[1m", help="Yes.")) is ExitCode.USAGE
    say("Hm.", level=Level.WARNING)
    assert read(capsys.readouterr().err) == [
        {"level": "error", "event": r"No.\u{1b}[1m", "error": "usage_error", "help": "Yes."},
        {"level": "warning", "event": "Hm."},
    ]


@pytest.mark.parametrize(
    ("error", "level"),
    [(StoreError("x"), "error"), (StoreLocked("x"), "warning"), (LockLost("x"), "warning")],
)
def test_whoever_loses_a_race_for_the_lock_warns_and_ends_as_before(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: KeyVigilError,
    level: str,
) -> None:
    monkeypatch.setattr(err, "is_log", True)
    assert show_error(error) is ExitCode.INCOMPLETE
    assert read(capsys.readouterr().err)[0]["level"] == level


def run(*arguments: str | Path, **env: str) -> Ran:
    return keyvigil("scan", *arguments, env={"KEYVIGIL_LOG_FORMAT": "json", **env})


@pytest.mark.slow
def test_a_scan_ends_with_its_figures_and_the_summary_goes_nowhere_if_stdout_is_a_report(
    tmp_path: Path,
) -> None:
    with sandbox("--projects", "2", "--keys-per-project", "6") as settings:
        ran = run("--output", "json=-", "--output", f"csv={tmp_path / 'x.csv'}", **settings)
    totals = json.loads(ran.out)["totals"]
    wrote, ended = read(ran.err)
    assert wrote["event"] == f"Wrote {tmp_path / 'x.csv'}"
    assert (ended["event"], ended["level"], ended["exit_code"]) == (
        "The scan has ended.",
        "info",
        0,
    )
    assert {name: ended[name] for name in totals if name in ended} == {
        name: totals[name] for name in totals if name != "by_severity"
    }
    assert ended["violations"] == totals["by_severity"]


@pytest.mark.slow
def test_the_option_beats_the_environment() -> None:
    ran = run("--log-format", "console")
    assert ran.err.splitlines()[0].startswith("error: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        ((), "OPENAI_ADMIN_KEY is not set."),
        (("--fail-on", "bad"), "'bad'; known: critical"),
        (("--nix",), "No such option: --nix"),
        (("--policy", "basline"), "There is no policy 'basline'; did you mean 'baseline'?"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], event: str) -> None:
    ran = run(*arguments)
    (line,) = read(ran.err)
    assert (ran.code, ran.out, line["level"]) == (2, "", "error")
    assert event in line["event"]


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--log-format", "json"), ("--log-format=json",)])
def test_a_word_that_is_no_option_is_one_line_where_the_command_asks_for_it(
    option: tuple[str, ...],
) -> None:
    ran = keyvigil("scan", "--nix", *option)
    (line,) = read(ran.err)
    assert (ran.code, line["event"][:15]) == (2, "No such option:")
    beaten = run("--nix", "--log-format", "console")
    assert beaten.err.startswith("error: No such option: --nix")


@pytest.mark.slow
def test_every_mistake_of_a_policy_stands_in_the_one_line(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text("policy: mine\nrulez: []\n")
    ran = run("--policy", policy)
    (line,) = read(ran.err)
    assert ran.code == 2
    assert [(one["line"], one["column"]) for one in line["problems"]] == [(1, 1), (2, 1)]


@pytest.mark.slow
def test_hostile_names_are_inert_in_them() -> None:
    build = Builder("Ac\x1b[31mme", seed=1, now=int(now().timestamp()))
    ada = build.member("Ada\u202e Ito\x07")
    build.key(
        build.project("se\nar\x9bch", ada), ada, "\x1b]0;owned\x07\r", age=100, used=1, expires=None
    )
    with serving(SandboxApp(build.organization)) as url:
        ran = run("-v", OPENAI_BASE_URL=url, OPENAI_ADMIN_KEY="sk-admin-sandbox-not-a-real-key")
    assert ran.code == 0
    assert not set(ran.err) & set("\x1b\x07\r\x9b\u202e")
    assert read(ran.err)[-1]["organization"] == r"Ac\u{1b}[31mme"
