"""`keyvigil scan` as cron or a person runs it."""

import gzip
import json
import re
from codecs import BOM_UTF8
from pathlib import Path

import pytest

from scanner.formats.registry import FORMATS
from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.builder import Builder
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.wiring import now
from tests.cli.running import keyvigil, sandbox
from tests.openai_api.scripted import Asked, Reply, Script

KEY = "sk-admin-0123456789abcdefghijklmnop"
BROKEN = """\
policy: mine
rules:
  - id: old
    title: Old keys
    severity: hihg
    violated_when: { aeg: { over: 90d } }
    why: Because.
    fix: Do it.
    fixx: never
"""
pytestmark = pytest.mark.slow


def test_every_key_of_a_large_organization_is_found_hidden_ones_included(tmp_path: Path) -> None:
    """200 projects of 40 keys: the sandbox's own count is the truth."""
    report = tmp_path / "report.json"
    with sandbox("--seed", "7", "--projects", "200", "--keys-per-project", "40") as settings:
        ran = keyvigil("scan", "--output", f"json={report}", env=settings)
    truth = seeded_organization(
        seed=7, projects=200, keys_per_project=40, now=int(now().timestamp())
    )
    assert ran.code == 0
    parsed = json.loads(report.read_text())
    assert parsed["totals"]["projects"] == len(truth.projects) == 200
    assert parsed["totals"]["keys"] == truth.key_count() == 8005
    assert truth.hidden_key_count() > 500
    hidden = {
        key.id
        for project, key in truth.project_keys()
        if not truth.owner_has_access(project, key)
        and (key.expires_at is None or key.expires_at > now().timestamp() + 60)
    }
    judged = {finding["key"]["id"] for finding in parsed["findings"]}
    assert hidden <= judged
    assert "200 projects, 8,005 keys" in ran.out
    assert f"Wrote {report}" in ran.err
    assert "Data collection: complete." in ran.out


@pytest.mark.parametrize(
    ("extra", "code", "message"),
    [
        ({}, 2, "OPENAI_ADMIN_KEY is not set"),
        (
            {"OPENAI_ADMIN_KEY": "sk-proj-0123456789abcdef0123"},
            2,
            "a project key (sk-proj-...)",
        ),
        (
            {"OPENAI_ADMIN_KEY": KEY},
            3,
            "http://127.0.0.1:9/v1 cannot be reached: Connection refused",
        ),
        (
            {"OPENAI_ADMIN_KEY": KEY, "OPENAI_BASE_URL": "http://example.com/v1"},
            2,
            "OPENAI_BASE_URL is plain http",
        ),
    ],
)
def test_what_cannot_work_is_one_clear_message(
    extra: dict[str, str], code: int, message: str
) -> None:
    ran = keyvigil("scan", env=extra)
    assert (ran.code, ran.out) == (code, "")
    error, hint = ran.err.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("help: ")
    assert "0123456789" not in ran.err


def test_all_three_mistakes_of_a_policy_are_printed_before_any_request(
    tmp_path: Path,
) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(BROKEN)
    ran = keyvigil("scan", "--policy", policy)
    assert (ran.code, ran.out) == (2, "")
    severity, fact, key, total = ran.err.splitlines()
    for line, place, wrong, right in (
        (severity, "5:15", "hihg", "high"),
        (fact, "6:22", "aeg", "age"),
        (key, "9:5", "fixx", "fix"),
    ):
        assert line.startswith(f"{policy}:{place}: rule 'old': ")
        assert f"'{wrong}'" in line
        assert f"'{right}'" in line
    assert total.startswith("error: 3 mistakes ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "report.html"), "--output report.html is not FORMAT=PATH."),
        (("--output", "htm=x"), "there is no format 'htm'; did you mean 'html'?"),
        (("--output", "html=."), ". is a folder."),
        (
            ("--output", "html=-", "--output", "json=-"),
            "Two of --output and --snapshot ",
        ),
        (("--output", "html=a", "--output", "json=./a"), "Two of --output and --snapshot "),
        (("--output", "html=a", "--snapshot", "a"), "Two of --output and --snapshot "),
        (("--policy", "/dev/zero"), "The policy /dev/zero is larger than 4,000,000 bytes."),
        (("--policy", "basline"), "There is no policy 'basline'; did you mean 'baseline'?"),
        (("--policy", "none.yaml"), "none.yaml cannot be read: No such file or directory."),
        (("--fail-on", "bad"), "'bad'; known: critical, high,"),
    ],
)
def test_a_mistake_in_the_command_is_reported_before_any_request(
    arguments: tuple[str, ...], message: str
) -> None:
    ran = keyvigil("scan", *arguments, env={"OPENAI_ADMIN_KEY": KEY})
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.replace("│", " ").split())


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_bytes(b"policy: mine\ndescription: caf\xe9\n")
    ran = keyvigil("scan", "--policy", policy)
    assert ran.code == 2
    assert f"{policy}:2:1: the file is not UTF-8 text" in ran.err


def test_a_rule_that_applies_to_no_key_is_said_to(tmp_path: Path, sandbox_url: str) -> None:
    policy = tmp_path / "mine.yaml"
    rule = BROKEN.replace("hihg", "high").replace("aeg", "age").replace("    fixx: never\n", "")
    policy.write_text(rule + "    applies_to: { project.name: { like: nothing-* } }\n")
    ran = keyvigil(
        "scan",
        "--policy",
        policy,
        env={"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": sandbox_url},
    )
    assert ran.code == 0
    assert " no key: old." in ran.out


def test_a_file_that_takes_the_name_of_a_shipped_policy_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(keyvigil("policies", "show", "baseline").out)
    ran = keyvigil("scan", "--policy", policy, env={"OPENAI_ADMIN_KEY": KEY})
    assert ran.code == 2
    assert ran.err.startswith(f"error: {policy} ")
    assert "'baseline'" in ran.err


def test_json_on_stdout_is_nothing_but_json_and_the_summary_goes_to_stderr(
    sandbox_url: str,
) -> None:
    ran = keyvigil(
        "scan",
        "--output",
        "json=-",
        env={"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": sandbox_url},
    )
    assert json.loads(ran.out)["schema"] == "keyvigil.report/1"
    assert "Data collection: complete." in ran.err


def test_only_a_csv_file_begins_with_a_byte_order_mark(sandbox_url: str, tmp_path: Path) -> None:
    written = {name: tmp_path / name for name in FORMATS}
    outputs = [part for name in FORMATS for part in ("--output", f"{name}={written[name]}")]
    env = {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": sandbox_url}
    assert keyvigil("scan", *outputs, env=env).code == 0
    marked = {name for name in FORMATS if written[name].read_bytes().startswith(BOM_UTF8)}
    assert marked == {"csv"}
    shown = keyvigil("scan", "--output", "csv=-", env=env).out
    assert shown.startswith("outcome,")


@pytest.mark.parametrize(
    ("fail_on", "code"), [("critical", 0), ("high", 1), ("medium", 1), ("info", 1)]
)
def test_fail_on_exits_1_for_that_severity_or_worse(fail_on: str, code: int) -> None:
    build = Builder("Acme", seed=1, now=int(now().timestamp()))
    ada = build.member("Ada Ito")
    project = build.project("search", ada)
    build.key(project, ada, "old", age=100, used=1, expires=5)
    with serving(SandboxApp(build.organization)) as url:
        ran = keyvigil(
            "scan",
            "--fail-on",
            fail_on,
            env={"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url},
        )
    assert ran.code == code


def test_an_incomplete_scan_exits_3_whatever_it_found_and_says_what_is_missing(
    tmp_path: Path,
) -> None:
    project = {"id": "proj_1", "created_at": 1, "status": "active"}

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/organization/projects"):
            return Reply(body={"data": [project], "has_more": False})
        if asked.path.endswith("/users"):
            return Reply(status=403, body={"error": {"message": "Missing scopes: x"}})
        return Reply()

    report = tmp_path / "report.json"
    with serving(Script(answer)) as url:
        ran = keyvigil(
            "scan",
            "--fail-on",
            "info",
            "--output",
            f"json={report}",
            env={"OPENAI_ADMIN_KEY": KEY, "OPENAI_BASE_URL": url},
        )
    assert ran.code == 3
    assert "Data collection: incomplete." in ran.out
    assert "users unavailable: GET /organization/users " in ran.out
    assert json.loads(report.read_text())["scan"]["complete"] is False


def test_hostile_names_reach_neither_terminal_nor_pipe_raw() -> None:
    build = Builder("Ac\x1b[31mme", seed=1, now=int(now().timestamp()))
    ada = build.member("Ada\u202e Ito\x07")
    project = build.project("se\nar\x9bch", ada)
    build.key(project, ada, "\x1b]0;owned\x07\r", age=100, used=1, expires=None)
    with serving(SandboxApp(build.organization)) as url:
        ran = keyvigil("scan", env={"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": url})
    assert ran.code == 0
    assert not set(ran.out + ran.err) & set("\x1b\x07\r\x9b\u202e")
    assert r"\u{1b}]0;owned" in ran.out


def test_a_snapshot_is_judged_again_to_the_same_findings_without_key_or_network(
    tmp_path: Path, sandbox_url: str
) -> None:
    snapshot, first, second = (tmp_path / name for name in ("s", "1.json", "2.json"))
    env = {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": sandbox_url}
    keyvigil("scan", "--snapshot", snapshot, "--output", f"json={first}", env=env)
    ran = keyvigil("scan", "--from", snapshot, "--output", f"json={second}")
    assert ran.code == 0
    before, after = (json.loads(path.read_text()) for path in (first, second))
    assert after["totals"] == before["totals"]
    assert [f["fingerprint"] for f in after["findings"]] == [
        f["fingerprint"] for f in before["findings"]
    ]
    assert after["scan"]["coverage"] == before["scan"]["coverage"]
    assert snapshot.stat().st_mode & 0o777 == 0o600
    assert SANDBOX_KEY.encode() not in gzip.decompress(snapshot.read_bytes())


def test_verbose_prints_each_collection_with_its_reason_and_each_retry() -> None:
    with sandbox("--projects", "20", "--keys-per-project", "40", "--fail", "0.2") as settings:
        ran = keyvigil("scan", "--verbose", env=settings)
    plan = ran.err.splitlines()[:8]
    assert plan[0].split()[:2] == ["collect", "projects"]
    assert plan[5].split()[:2] == ["skip", "usage"]
    assert all(line.split(maxsplit=2)[2] for line in plan)
    retries = re.findall(r"; retrying in [\d.]+ s$", ran.err, re.MULTILINE)
    assert re.search(rf"Read \d+ pages in [\d.]+ s\. Retries: {len(retries)}\.", ran.err)
    assert retries


def test_only_what_is_optional_can_be_skipped() -> None:
    ran = keyvigil("scan", "--skip", "users", env={"OPENAI_ADMIN_KEY": KEY})
    assert ran.code == 2
    assert "'users'; did you mean 'usage'?" in ran.err
