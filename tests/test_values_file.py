"""The settings in keyvigil.yaml: read as options would be, every mistake at its place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scanner.errors import SettingsError
from scanner.settings_file import parse_settings
from scanner.settings_table import SETTINGS
from scanner.values_file import Said
from tests.support.prose import Prose

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


def test_all_mistakes_are_reported_together_each_at_its_place(prose: Prose) -> None:
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
    prose("\n".join(mistakes(text)))


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
    assert problem.message.endswith(f" '{now}'")
