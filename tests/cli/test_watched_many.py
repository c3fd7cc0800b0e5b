"""Many organizations as the doctor and the watchers see them: each for itself, pinged as one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scanner.sandbox.server import serving
from tests.alerts.receiving import Receiver
from tests.cli.examined import examined, problems
from tests.cli.running import Ran, keyvigil, sandbox

pytestmark = pytest.mark.slow
NOWHERE = "http://127.0.0.1:9/v1"


@dataclass(frozen=True, kw_only=True)
class Two:
    """A folder whose settings list two organizations, and who is pinged."""

    folder: Path
    switch: Receiver
    env: dict[str, str]
    url: str

    def settle(self, *, second: str = "", more: str = "") -> None:
        (self.folder / "keyvigil.yaml").write_text(f"""\
metrics_textfile: "{{organization}}.prom"
store: {{ url: history.db }}
organizations:
  - {{ name: a, key_env: A_KEY, base_url: "{self.url}" }}
  - {{ name: b, key_file: b.key, base_url: "{second or self.url}", policies: [strict] }}
{more}""")

    def scan(self, *arguments: str) -> Ran:
        return keyvigil("scan", *arguments, env=self.env, cwd=self.folder)

    def pings(self) -> list[tuple[str, str]]:
        return [(one.path.removeprefix("/v1"), one.body.decode()) for one in self.switch.received]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    switch = Receiver()
    with sandbox("--projects", "1", "--keys-per-project", "2") as own, serving(switch) as url:
        (tmp_path / "b.key").write_text(own["OPENAI_ADMIN_KEY"])
        env = {
            "A_KEY": own["OPENAI_ADMIN_KEY"],
            "OPENAI_BASE_URL": "",
            "KEYVIGIL_STORE": "",
            "KEYVIGIL_PING_URL": url,
        }
        made = Two(folder=tmp_path, switch=switch, env=env, url=own["OPENAI_BASE_URL"])
        made.settle()
        yield made


def test_where_all_is_well_the_run_is_pinged_once_and_each_has_its_metrics(two: Two) -> None:
    ran = two.scan()
    assert ran.code == 0, ran.err
    assert two.pings() == [("/start", ""), ("", "")]
    for name in ("a", "b"):
        told = (two.folder / f"{name}.prom").read_text()
        assert f'keyvigil_last_success_timestamp_seconds{{organization="{name}"}}' in told


def test_one_that_fails_is_named_in_the_ping_and_the_other_is_a_success(two: Two) -> None:
    two.settle(second=NOWHERE)
    assert two.scan().code == 3
    assert two.pings() == [("/start", ""), ("/fail", "exit 3: b: exit 3")]
    a, b = ((two.folder / f"{name}.prom").read_text() for name in ("a", "b"))
    assert "keyvigil_last_success_timestamp_seconds{" in a
    assert "keyvigil_last_success_timestamp_seconds{" not in b
    assert 'keyvigil_last_run_timestamp_seconds{organization="b"}' in b


def test_a_mistake_in_the_settings_file_pings_fail(two: Two) -> None:
    two.settle(more="revocation: { mode: enforced }\n")
    assert two.scan().code == 2
    (start, (path, body)) = two.pings()
    assert (start, path) == (("/start", ""), "/fail")
    assert body.startswith("exit 2: keyvigil.yaml:6:21: ")
    assert "'enforced'" in body


def test_metrics_that_overwrite_each_other_are_refused(two: Two) -> None:
    ran = two.scan("--metrics-textfile", "one.prom")
    assert ran.code == 2
    assert "The organizations a and b " in ran.err
    assert "one.prom" in ran.err
    ran = two.scan("--metrics-textfile", "{date}.prom")
    assert "--metrics-textfile has an unknown placeholder {date}" in ran.err


def test_messages_for_machines_say_of_whom_they_are(two: Two) -> None:
    two.settle(second=NOWHERE)
    ran = two.scan("--log-format", "json")
    lines = ran.err.splitlines()
    assert all(line.startswith("{") for line in lines)
    assert any('"organization": "b"' in line for line in lines)


def test_the_doctor_looks_at_each_or_at_the_one_that_is_named(two: Two) -> None:
    code, lines = examined(two.env, two.folder)
    assert (code, problems(lines)) == (0, set())
    assert lines["a: admin key"][1].startswith("A_KEY ")
    assert "b.key" in lines["b: admin key"][1]
    assert lines["b: policies"][1].startswith("strict: ")
    assert lines["b: metrics"][1].startswith("b.prom ")
    assert lines["settings file"][1].startswith("keyvigil.yaml: 2 organizations")
    two.settle(second=NOWHERE)
    code, lines = examined(two.env, two.folder)
    assert (code, problems(lines)) == (3, {"b: projects"})
    code, lines = examined(two.env, two.folder, "--only", "a")
    assert (code, problems(lines)) == (0, set())
    assert "admin key" in lines
    code, lines = examined(two.env, two.folder, "--only", "c")
    assert (code, problems(lines)) == (2, {"organizations"})


def test_the_doctor_reads_what_the_file_says_of_the_way(two: Two) -> None:
    http = "http: { proxy: 'http://127.0.0.1:9', base_url: 'https://api.example.com/v1' }\n"
    (two.folder / "keyvigil.yaml").write_text(http)
    code, lines = examined({**two.env, "OPENAI_ADMIN_KEY": two.env["A_KEY"]}, two.folder)
    assert (code, problems(lines)) == (3, {"projects"})
    assert lines["connection"][1].startswith("https://api.example.com/v1: ")
    assert "127.0.0.1:9 (http.proxy)" in lines["connection"][1]
