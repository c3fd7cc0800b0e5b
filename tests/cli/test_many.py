"""`keyvigil scan` of many organizations: each for itself, and none stopped by another."""

import asyncio
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scanner.cli.account import Once
from scanner.cli.combining import Combined
from scanner.cli.console import ExitCode
from scanner.cli.job import Job, Ready
from scanner.cli.many import scan_each
from scanner.cli.outputs import named, refuse_overwriting
from scanner.errors import UsageError
from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.setting import Chosen
from scanner.wiring import now
from tests.cli.running import COMMAND, Ran, environment, keyvigil
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
ENV = {"OPENAI_BASE_URL": "", "KEYVIGIL_STORE": "", "A_KEY": SANDBOX_KEY, "B_KEY": SANDBOX_KEY}
OWN = """\
policy: mine
rules:
  - { id: old, title: T, severity: low, violated_when: { age: { over: 1d } }, why: W, fix: F }
"""


@dataclass(kw_only=True)
class Watched:
    """Serves an application, records its requests, and calls `first` before the first response."""

    app: Any
    name: str
    asked: list[str]
    first: Any = None
    began: bool = field(default=False, init=False)
    paths: list[str] = field(default_factory=list, init=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(self.name)
        self.paths.append(scope["path"])
        if not self.began and self.first is not None:
            self.began = True
            await asyncio.to_thread(self.first)
        await self.app(scope, receive, send)

    def wait_for(self, listing: str) -> None:
        """Wait until a listing was requested."""
        until(lambda: any(path.endswith(f"/{listing}") for path in self.paths))


def app(seed: int) -> Any:
    organization = seeded_organization(
        seed=seed, projects=4, keys_per_project=5, now=int(now().timestamp())
    )
    return SandboxApp(organization)


@contextmanager
def two(first: Any = None) -> Iterator[tuple[str, str, list[str]]]:
    """Serve two organizations; yields both URLs and the names in the order of their requests."""
    asked: list[str] = []
    a = Watched(app=app(1), name="a", asked=asked, first=first)
    b = Watched(app=app(2), name="b", asked=asked, first=first)
    with serving(a) as url_a, serving(b) as url_b:
        yield url_a, url_b, asked


def scan(folder: Path, text: str, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    (folder / "keyvigil.yaml").write_text(text)
    return keyvigil("scan", *arguments, cwd=folder, env=ENV | (env or {}))


def settings(url_a: str, url_b: str, parallel: int, more: str = "") -> str:
    return f"""\
parallel: {parallel}
outputs: {{ json: "out/{{organization}}.json" }}
store: {{ url: history.db }}
organizations:
  - {{ name: Acme EU, key_env: A_KEY, base_url: "{url_a}" }}
  - {{ name: b, key_env: B_KEY, base_url: "{url_b}", policies: [strict] }}
{more}"""


def rows(ran: Ran) -> list[list[str]]:
    """Return the table at the end, row by row."""
    lines = ran.out.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("Organization  "))
    return [line.rsplit(maxsplit=9) for line in lines[begin + 1 :]]


def test_two_are_walked_side_by_side_each_with_its_own_history_policies_and_reports(
    tmp_path: Path,
) -> None:
    """Each waits for the other's first request: one after the other would never end well."""
    with two(threading.Barrier(2, timeout=PATIENCE).wait) as (url_a, url_b, _):
        ran = scan(tmp_path, settings(url_a, url_b, 2))
    assert ran.code == 0, ran.err
    a, b = (json.loads((tmp_path / "out" / f"{x}.json").read_text()) for x in ("Acme-EU", "b"))
    assert (a["scan"]["policies"], b["scan"]["policies"]) == (["baseline"], ["strict"])
    assert [row[0] for row in rows(ran)] == ["Acme EU", "b"]
    assert [row[1] for row in rows(ran)] == ["complete", "complete"]
    assert [int(row[2]) for row in rows(ran)] == [a["totals"]["keys"], b["totals"]["keys"]]
    listed = json.loads(keyvigil("history", "--json", cwd=tmp_path, env=ENV).out)
    assert sorted(night["organization"] for night in listed) == ["Acme EU", "b"]
    again = keyvigil("report", "--organization", "b", cwd=tmp_path, env=ENV)
    assert "policy strict" in again.out


@pytest.mark.parametrize("store", ["none", "history.db"])
def test_each_organization_has_its_own_sarif_category(tmp_path: Path, store: str) -> None:
    """Also where the API gives both the same name."""
    with serving(app(1)) as url:
        text = settings(url, url, 2).replace("json:", "sarif:").replace(".json", ".sarif")
        ran = scan(tmp_path, text, "--store", store)
    assert ran.code == 0, ran.err
    ids = [
        json.loads((tmp_path / "out" / f"{name}.sarif").read_text())["runs"][0]["automationDetails"]
        for name in ("Acme-EU", "b")
    ]
    assert [one["id"].split("/")[2:] for one in ids] == [["baseline", ""], ["strict", ""]]
    assert [one["id"].split("/")[1][:7] for one in ids] == ["Acme-EU", "b"]


def test_keys_come_from_a_file_and_a_program_and_stand_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_text(f"{SANDBOX_KEY}\n")
    (tmp_path / "vault").write_text(f"#!/bin/sh\necho asked for $1 >&2\necho {SANDBOX_KEY}\n")
    (tmp_path / "vault").chmod(0o700)
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 2).replace("key_env: A_KEY", "key_file: a.key")
        text = text.replace("key_env: B_KEY", "key_command: [./vault, b]")
        ran = scan(tmp_path, text, "--verbose", env={"A_KEY": "", "B_KEY": ""})
    assert ran.code == 0, ran.err
    assert SANDBOX_KEY not in ran.out + ran.err
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in {"a.key", "vault"}:
            assert SANDBOX_KEY.encode() not in path.read_bytes()


def test_one_after_the_other_asks_the_second_when_the_first_is_done(tmp_path: Path) -> None:
    with two() as (url_a, url_b, asked):
        ran = scan(tmp_path, settings(url_a, url_b, 1))
    assert ran.code == 0, ran.err
    assert asked == sorted(asked)
    assert set(asked) == {"a", "b"}


@pytest.mark.parametrize("refusals", [0, 4])
def test_one_whose_api_is_slow_or_busy_holds_no_other_back(tmp_path: Path, refusals: int) -> None:
    """Each has its own pace: one gets no response until the other has sent all its requests."""
    own, left = app(1), [busy] * refusals
    other = Watched(app=app(2), name="b", asked=[])

    async def held_back(scope: Any, receive: Any, send: Any) -> None:
        answer = left.pop() if left else own
        if answer is own:
            await asyncio.to_thread(until, lambda: len(other.asked) == 2 * requests)
        await answer(scope, receive, send)

    with serving(held_back) as url_a, serving(other) as url_b:
        text = settings(url_a, url_b, 2)
        assert scan(tmp_path, text, "--only", "b").code == 0
        requests = len(other.asked)
        ran = scan(tmp_path, text, "--verbose")
    assert ran.code == 0, ran.err
    again = [line for line in ran.err.splitlines() if "; retrying in " in line]
    assert bool(again) == bool(refusals)
    assert all(line.startswith("Acme EU: ") for line in again)


async def busy(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"retry-after-ms", b"50")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def test_what_fails_stops_itself_only_and_the_worst_code_is_the_exits(tmp_path: Path) -> None:
    more = """\
  - { name: no key, key_env: NOT_SET }
  - { name: no answer, key_env: A_KEY, base_url: "http://127.0.0.1:9/v1" }
  - { name: no policy, key_env: A_KEY, policies: [basline] }
  - { name: no vault, key_command: [/nowhere/vault, read] }
"""
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 3, more)
        ran = scan(tmp_path, text, "--fail-on", "info")
        few = scan(tmp_path, text, "--fail-on", "info", "--only", "no answer", "--only", "b")
        one = scan(tmp_path, text, "--fail-on", "info", "--only", "b")
    assert (ran.code, few.code, one.code) == (2, 3, 1)
    assert [row[-1] for row in rows(ran)] == ["1", "1", "2", "3", "2", "2"]
    assert ran.out.count("not scanned") == 4
    assert [row[-1] for row in rows(few)] == ["1", "3"]
    assert "Organization  " not in one.out
    for message in (
        "keyvigil.yaml:7:30: NOT_SET is not set.",
        "http://127.0.0.1:9/v1 cannot be reached",
        "There is no policy 'basline'; did you mean 'baseline'?",
        "the command '/nowhere/vault' cannot be started: No such file or directory.",
    ):
        assert message in ran.err
    assert SANDBOX_KEY not in ran.out + ran.err


def test_one_that_is_scanned_elsewhere_is_locked_and_the_other_goes_on(tmp_path: Path) -> None:
    held: list[Ran] = []

    def meanwhile() -> None:
        if not held:
            held.append(keyvigil("scan", "--only", "Acme EU", cwd=tmp_path, env=ENV))

    with two(meanwhile) as (url_a, url_b, _):
        ran = scan(tmp_path, settings(url_a, url_b, 2))
    assert ran.code == 0, ran.err
    assert held[0].code == 3
    assert "Another scan of Acme EU is running" in held[0].err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--output", "json=out/{date}.json"),
            "The organizations Acme EU and b would both write to out/{date}.json.",
        ),
        (("--output", "json=-"), "The organizations Acme EU and b would both write to stdout."),
        (("--snapshot", "seen"), "The organizations Acme EU and b would both write to seen."),
        (("--only", "acme"), "--only acme: unknown organization; known: Acme EU, b"),
        (("--organization", "x"), "error: --organization "),
    ],
)
def test_options_that_conflict_with_organizations_are_rejected_before_any_request(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    with two() as (url_a, url_b, asked):
        ran = scan(tmp_path, settings(url_a, url_b, 2), *arguments)
    assert (ran.code, ran.out, asked) == (2, "", [])
    assert message in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["keyvigil.yaml"]


def test_two_names_that_become_one_in_a_path_are_rejected() -> None:
    places = [("a b", (Path("out/{organization}"),)), ("a-b", (Path("out/{organization}"),))]
    with pytest.raises(UsageError, match="a b and a-b ") as caught:
        refuse_overwriting([(n, [named(path, n) for path in paths]) for n, paths in places])
    assert " become a-b in a path" in (caught.value.help or "")


def test_paths_that_differ_by_the_scan_overwrite_nothing(tmp_path: Path) -> None:
    with two() as (url_a, url_b, _):
        ran = scan(tmp_path, settings(url_a, url_b, 2), "--output", "json=out/{scan_id}.json")
    assert ran.code == 0, ran.err
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_flag_and_the_environment_beat_what_an_organization_has_of_its_own(
    tmp_path: Path,
) -> None:
    with two() as (url_a, url_b, _):
        text = settings(url_a, url_b, 2)
        flag = scan(tmp_path, text, "--policy", "soc2")
        environment = scan(tmp_path, text, env={"KEYVIGIL_POLICY": "soc2"})
    for ran in (flag, environment):
        assert ran.code == 0, ran.err
        assert ran.out.count("policy soc2") == 2


def test_a_report_uses_the_policies_of_its_own_organization(tmp_path: Path) -> None:
    """`policies` above are those of others; the file is found by the policy's name."""
    (tmp_path / "own.yaml").write_text(OWN)
    with two() as (url_a, _, _asked):
        text = (
            "policies: [soc2]\nstore: { url: history.db }\norganizations:\n"
            f"- {{ name: Acme, key_env: A_KEY, base_url: '{url_a}', policies: [own.yaml] }}\n"
            f"- {{ name: b, key_env: A_KEY, base_url: '{url_a}' }}\n"
        )
        ran = scan(tmp_path, text)
    assert ran.code == 0, ran.err
    policies = [
        keyvigil("report", "--organization", name, cwd=tmp_path, env=ENV).out.splitlines()[1]
        for name in ("Acme", "b")
    ]
    assert ["policy mine," in policies[0], "policy soc2," in policies[1]] == [True, True]
    planned = keyvigil("revoke", "plan", "--organization", "Acme", cwd=tmp_path, env=ENV)
    assert planned.code == 0, planned.err


def test_only_requires_organizations_in_the_settings(tmp_path: Path) -> None:
    ran = scan(tmp_path, "fail_on: high", "--only", "a")
    assert ran.code == 2
    assert ran.err.startswith("error: --only ")


def test_a_single_organization_is_scanned_as_ever_and_its_history_is_found(tmp_path: Path) -> None:
    with two() as (url_a, _, _asked):
        text = (
            "store: { url: history.db }\n"
            f"organizations: [{{ name: Acme, key_env: A_KEY, base_url: '{url_a}' }}]\n"
        )
        ran = scan(tmp_path, text)
    assert ran.code == 0, ran.err
    assert "Organization  " not in ran.out
    report = keyvigil("report", "--output", "json={organization}.json", cwd=tmp_path, env=ENV)
    assert report.code == 0, report.err
    assert (tmp_path / "Acme.json").exists()


def test_told_to_stop_all_stop_and_their_locks_are_free(tmp_path: Path) -> None:
    asked = threading.Barrier(3, timeout=PATIENCE)
    stopped = threading.Event()

    def first() -> None:
        asked.wait()
        stopped.wait(PATIENCE)

    with two(first) as (url_a, url_b, _):
        (tmp_path / "keyvigil.yaml").write_text(settings(url_a, url_b, 2))
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "scan"],
            cwd=tmp_path,
            env=environment(ENV),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        asked.wait()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        stopped.set()
        assert (process.returncode, out) == (143, "")
        assert err == "Stopped: the scan was not finished.\n"
        assert not (tmp_path / "out").exists()
        ran = keyvigil("scan", cwd=tmp_path, env=ENV)
    assert ran.code == 0, ran.err


def test_a_bug_stops_its_organization_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(job: Job) -> Ready:
        raise ZeroDivisionError(job.name)

    monkeypatch.setattr("scanner.cli.many.prepared", bug)
    jobs = [Job(chosen=Chosen(), name="a"), Job(chosen=Chosen(), name="b")]
    code, ended = scan_each(jobs, Once(), Combined(), is_dry=True, is_verbose=False)
    assert (code, ended) == (ExitCode.INCOMPLETE, "a: exit 3, b: exit 3")
    told = capsys.readouterr()
    assert told.err.count("KeyVigil itself failed: ZeroDivisionError") == 2
    assert told.out.count("not scanned") == 2
