"""The settings in keyvigil.yaml: read as options would be, every mistake at its place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scanner.errors import SettingsError
from scanner.settings_file import parse_settings
from scanner.settings_table import SETTINGS
from scanner.values_file import Said

GOOD = """\
policies: [baseline, ./own.yaml]
outputs: { html: 'out/{date}/report.html', json: '-' }
combined: { html: 'out/{date}.html' }
fail_on: high
collect: all
skip: costs
deadline: 1.5
redact_emails: true
snapshot: seen/{scan_id}
metrics_textfile: prom/{organization}.prom
parallel: 4
store:
  url: history.db
  keep: 52w
  keep_snapshots: 0
  lease: 60
http:
  base_url: http://127.0.0.1:8000/v1
  proxy: http://proxy:3128
  ca_bundle: ca.pem
  timeout: 10
  concurrency: 4
organization: acme
"""


def said(text: str, file: str = "etc/k.yaml") -> Mapping[str, Said]:
    return parse_settings(text, file).said


def mistakes(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "k.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_every_setting_is_read_and_paths_are_from_the_files_folder() -> None:
    texts = {name: one.texts for name, one in said(GOOD).items()}
    assert texts == {
        "policy": ("baseline", "etc/own.yaml"),
        "output": ("html=etc/out/{date}/report.html", "json=-"),
        "combined": ("html=etc/out/{date}.html",),
        "fail_on": ("high",),
        "collect": ("all",),
        "skip": ("costs",),
        "deadline": ("1.5",),
        "redact_emails": ("true",),
        "snapshot": ("etc/seen/{scan_id}",),
        "metrics_textfile": ("etc/prom/{organization}.prom",),
        "parallel": ("4",),
        "organization": ("acme",),
        "store": ("etc/history.db",),
        "keep": ("52w",),
        "keep_snapshots": ("0",),
        "lease": ("60",),
        "base_url": ("http://127.0.0.1:8000/v1",),
        "proxy": ("http://proxy:3128",),
        "ca_bundle": ("etc/ca.pem",),
        "timeout": ("10",),
        "concurrency": ("4",),
    }
    assert set(texts) == {one.parameter for one in SETTINGS if one.name}


def test_each_knows_its_place() -> None:
    places = {name: one.at for name, one in said(GOOD).items()}
    assert places["policy"] == "etc/k.yaml:1:11"
    assert places["timeout"] == "etc/k.yaml:21:12"


def test_the_place_of_the_history_can_stand_elsewhere() -> None:
    assert said("store: { url_env: DB }")["store"].text == "env:DB"
    assert said("store: { url_file: db.txt }")["store"].text == "file:etc/db.txt"


def test_all_mistakes_are_told_at_once_each_at_its_place() -> None:
    text = """\
policy: baseline
policies: [baseline, 3, ""]
outputs:
  htm: a
  html: out/{dat}/x
  json:
fail_on: hihg
collect: [all]
skip: [costs, users]
deadline: soon
redact_emails: maybe
snapshot: {}
parallel: 0
store:
  url: postgresql://u:hunter2@db/k
  url_env: DB
  keep: 1h
  keep_snapshots: "30"
  leese: 3
http:
  base_url: http://api.example.com
  proxy: http://u:hunter2@proxy
  timeout: 0
  concurrency: 1_000
"""
    assert mistakes(text) == [
        "k.yaml:1:1: unknown key 'policy' in the file; did you mean 'policies'?",
        ("k.yaml:2:22: 'policies' must be text: YAML reads 3 as int; write \"3\""),
        "k.yaml:2:25: 'policies' must not be empty",
        "k.yaml:4:3: unknown key 'htm' in 'outputs'; did you mean 'html'?",
        ("k.yaml:5:9: 'outputs' has an unknown placeholder {dat}; did you mean 'date'?"),
        "k.yaml:6:8: 'outputs' is empty: write a text",
        "k.yaml:7:10: 'fail_on' is never 'hihg'; did you mean 'high'?",
        "k.yaml:8:10: 'collect' is a single value",
        "k.yaml:9:15: 'skip' is never 'users'; did you mean 'usage'?",
        "k.yaml:10:11: 'deadline' takes a number of minutes from 0.01 to 100,000",
        "k.yaml:11:16: 'redact_emails' is true or false",
        "k.yaml:12:11: 'snapshot' is a single value",
        "k.yaml:13:11: 'parallel' takes a whole number from 1 to 32",
        "k.yaml:15:3: the history has one address: url or url_env",
        (
            "k.yaml:15:8: 'url' has a password in it, which this file is no place for: put the"
            " whole address into KEYVIGIL_STORE, or say where it stands with 'url_env: NAME' or"
            " 'url_file: PATH'"
        ),
        "k.yaml:17:9: 'keep' takes a duration from 1d to 36500d, such as 400d or 52w",
        "k.yaml:18:19: 'keep_snapshots' takes a whole number from 0 to 100,000",
        "k.yaml:19:3: unknown key 'leese' in 'store'; did you mean 'lease'?",
        ("k.yaml:21:13: 'base_url' is plain http, over which the admin key would travel readably"),
        (
            "k.yaml:22:10: 'proxy' has a user or a password in it, which this file is no place for:"
            " put the whole address into KEYVIGIL_PROXY, and remove it here"
        ),
        "k.yaml:23:12: 'timeout' takes a number of seconds from 1 to 3,600",
        "k.yaml:24:16: 'concurrency' takes a whole number from 1 to 128",
    ]


@pytest.mark.parametrize("section", ["store", "http", "outputs"])
@pytest.mark.parametrize("content", ["", "text", "[a]"])
def test_a_section_that_is_none_is_refused(section: str, content: str) -> None:
    (mistake,) = mistakes(f"{section}: {content}")
    assert f"'{section}' must be a mapping" in mistake


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    assert said(f"snapshot: {tmp_path / 'a'}")["snapshot"].text == str(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("at_once: 2", "parallel"),
        ("store: { place: history.db }", "url"),
        ("store: { place_env: DB }", "url_env"),
        ("store: { place_file: db }", "url_file"),
    ],
)
def test_a_renamed_setting_is_rejected_with_its_present_name(text: str, now: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "k.yaml")
    (problem,) = caught.value.problems
    assert problem.message.endswith(f"it is now '{now}'")
