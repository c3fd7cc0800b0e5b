"""Errors in the settings in `keyvigil doctor`: all of them are reported."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.cli.examining_settings import WRONG_FILE
from scanner.collection import Collection
from tests.cli.examined import examined, problems
from tests.cli.running import sandbox

pytestmark = pytest.mark.slow
NOT_KNOWN = ("options", "policies", "admin key", "connection", *Collection, "clock", "outputs")
BROKEN = """\
fail_on: hihg
http: { base_url: "https://gateway.example/v1", proxy: "http://127.0.0.1:9" }
store: { url: mine.db }
organizations: [{ name: a, key_env: A_KEY }]
"""


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, str]]:
    with sandbox("--projects", "1") as settings:
        yield settings


@pytest.fixture
def own(served: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**served, "KEYVIGIL_STORE": str(tmp_path / "history.db")}


def test_all_errors_in_the_settings_are_reported(own: dict[str, str], tmp_path: Path) -> None:
    env = {
        **own,
        "KEYVIGIL_SLAK_TOKEN": "x",
        "KEYVIGIL_CONCURRENCY": "many",
        "KEYVIGIL_POLICY": "basline",
        "KEYVIGIL_OUTPUT": "htm=x",
        "KEYVIGIL_KEEP": "ever",
        "KEYVIGIL_PING_URL": "http://example.com/x",
    }
    code, lines = examined(env, tmp_path)
    assert code == 2
    wrong = {"environment", "options", "policies", "history", "output htm", "pings"}
    assert problems(lines) == wrong
    assert lines["environment"][2] == "Did you mean KEYVIGIL_SLACK_TOKEN?"
    assert lines["options"][1].startswith("KEYVIGIL_CONCURRENCY ")
    assert "128" in lines["options"][1]
    assert {lines[name][0] for name in (*Collection, "clock")} == {"ok"}


def test_with_a_broken_settings_file_no_request_is_sent_and_dependent_checks_are_not_made(
    own: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "keyvigil.yaml").write_text(BROKEN)
    own.pop("KEYVIGIL_STORE")
    code, lines = examined({**own, "KEYVIGIL_STORE": ""}, tmp_path, "--only", "a")
    assert (code, problems(lines)) == (2, {"settings file"})
    assert lines["settings file"][1].startswith("keyvigil.yaml:1:10: ")
    assert "'hihg'" in lines["settings file"][1]
    dependent = (*NOT_KNOWN, "history", "alerts", "revocation", "schedule")
    assert {lines[name][:2] for name in dependent} == {("not checked", WRONG_FILE)}
    overridden, lines = examined(own, tmp_path, "--store", str(tmp_path / "other.db"))
    assert overridden == 2
    assert lines["history"][0] == "ok"
