"""Mistakes in the settings as `keyvigil doctor` tells them: none hides another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_every_mistake_in_the_settings_is_told_and_none_hides_another(
    own: dict[str, str], tmp_path: Path
) -> None:
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
    assert lines["options"][1].endswith(" a whole number from 1 to 128.")
    assert {lines[name][0] for name in (*Collection, "clock")} == {"ok"}


def test_nobody_is_asked_and_nothing_is_well_that_a_broken_file_may_say_otherwise(
    own: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "keyvigil.yaml").write_text(BROKEN)
    own.pop("KEYVIGIL_STORE")
    code, lines = examined({**own, "KEYVIGIL_STORE": ""}, tmp_path, "--only", "a")
    assert (code, problems(lines)) == (2, {"settings file"})
    assert lines["settings file"][1].startswith("keyvigil.yaml:1:10: 'fail_on' ")
    rests_on_it = (*NOT_KNOWN, "history", "alerts", "revocation", "schedule")
    for name in rests_on_it:
        said = "the settings file is to be put right first"
        assert lines[name][:2] == ("not checked", said), name
    beaten, lines = examined(own, tmp_path, "--store", str(tmp_path / "other.db"))
    assert beaten == 2
    assert lines["history"][0] == "ok"
