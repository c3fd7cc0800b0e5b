"""The workflows and the action: judged by GitHub's schemas and zizmor; the action's steps, run."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from scanner.formats.registry import FORMATS
from scanner.sandbox.app import SANDBOX_KEY
from tests.commands import copy_sources, tried
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "github-actions"
WORKFLOW = FOLDER / "keyvigil.yml"
ACTION = FOLDER / "action.yml"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
SCHEMAS = {
    WORKFLOW: "vendor.github-workflows",
    ACTION: "vendor.github-actions",
    RELEASE: "vendor.github-workflows",
}


def schema_takes(path: Path, schema: str) -> bool:
    reader = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema)
    return tried(*reader, path, cwd=ROOT).returncode == 0


def zizmor(path: Path) -> str:
    """Return what the sternest zizmor finds, without asking the network."""
    judge = Path(sys.executable).parent / "zizmor"
    strict = ("--offline", "--no-progress", "--persona=auditor", "--format=json-v1")
    done = tried(judge, *strict, path, cwd=ROOT)
    return "\n".join(sorted(found["ident"] for found in json.loads(done.stdout)))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_github_takes_it(path: Path) -> None:
    assert schema_takes(path, SCHEMAS[path])


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_zizmor_finds_nothing(path: Path) -> None:
    assert zizmor(path) == ""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (r"checkout@\S+ # v\S+", "checkout@v7", "unpinned-uses"),
        (r"permissions: \{\}", "permissions: write-all", "excessive-permissions"),
        (r"persist-credentials: false", "fetch-depth: 1", "artipacked"),
        (r"concurrency:\n.*\n.*\n", "", "concurrency-limits"),
    ],
)
def test_no_break_of_the_workflow_goes_by_unseen(
    tmp_path: Path, old: str, new: str, found: str
) -> None:
    broken = tmp_path / ".github" / "workflows" / "keyvigil.yml"
    broken.parent.mkdir(parents=True)
    text, changes = re.subn(old, new, WORKFLOW.read_text())
    broken.write_text(text)
    assert changes == 1
    assert found in zizmor(broken)


def test_a_misspelt_field_goes_by_neither(tmp_path: Path) -> None:
    broken = tmp_path / "keyvigil.yml"
    broken.write_text(WORKFLOW.read_text().replace("timeout-minutes", "timeout-minute"))
    assert not schema_takes(broken, SCHEMAS[WORKFLOW])


def test_foreign_actions_are_named_by_commit_and_version() -> None:
    used = [
        line.strip()
        for path in SCHEMAS
        for line in path.read_text().splitlines()
        if "uses: " in line and "uses: ./" not in line
    ]
    assert len(used) == 6
    for line in used:
        assert re.fullmatch(r"- uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["scan"]["steps"]
    (given,) = (step["with"] for step in steps if step["uses"] == "./deploy/github-actions")
    action = yaml.safe_load(ACTION.read_text())
    assert given.keys() <= action["inputs"].keys()
    assert {name for name, one in action["inputs"].items() if one.get("required")} <= given.keys()
    assert action["outputs"].keys() <= FORMATS.keys()


def test_the_report_is_kept_as_an_artifact_only_where_that_was_said() -> None:
    """Whoever reads the repository reads its artifacts, and the report names keys and owners."""
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["scan"]["steps"]
    (upload,) = (step for step in steps if "upload-artifact" in step["uses"])
    assert "vars.KEYVIGIL_ARTIFACT == 'true'" in upload["if"]
    assert upload["with"]["path"] == "${{ steps.keyvigil.outputs.html }}"
    (given,) = (step["with"] for step in steps if step["uses"] == "./deploy/github-actions")
    assert "redact-emails" not in given
    assert yaml.safe_load(ACTION.read_text())["inputs"]["redact-emails"]["default"] == "1"


def test_the_sarif_file_names_its_category_itself() -> None:
    """One category for every organization: each upload closes the alerts of the others."""
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["scan"]["steps"]
    (upload,) = (step["with"] for step in steps if "upload-sarif" in step["uses"])
    assert upload == {"sarif_file": "${{ steps.keyvigil.outputs.sarif }}"}


def test_no_expression_stands_in_a_script() -> None:
    for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.slow
def test_the_actions_steps_install_scan_and_tell_the_reports(
    tmp_path: Path, sandbox_url: str
) -> None:
    source = tmp_path / "source"
    copy_sources(source)
    temporary, outputs, summary = (tmp_path / name for name in ("temp", "outputs", "summary"))
    temporary.mkdir()
    outputs.touch()
    summary.write_text("of a step before\n")
    action = yaml.safe_load(ACTION.read_text())
    install, scan = (step for step in action["runs"]["steps"] if "run" in step)
    inputs = {name: one.get("default", SANDBOX_KEY) for name, one in action["inputs"].items()}
    around = {
        "RUNNER_TEMP": str(temporary),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(summary),
        "OPENAI_BASE_URL": sandbox_url,
        "PYTHON": sys.executable,
        "SOURCE": str(source / "deploy" / "github-actions" / ".." / ".."),
    }
    bash = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # as GitHub runs them
    installed = tried(*bash, install["run"], cwd=tmp_path, **around)
    assert installed.returncode == 0, installed.stderr
    for variable, value in scan["env"].items():
        around[variable] = inputs[re.sub(r"\$\{\{ inputs\.(.*) \}\}", r"\1", value)]
    scanned = tried(*bash, scan["run"], cwd=tmp_path, **around)
    assert scanned.returncode == 0, scanned.stderr
    told = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert told.keys() == action["outputs"].keys()
    sarif = json.loads(Path(told["sarif"]).read_text())
    assert sarif["runs"][0]["results"]
    shown = summary.read_text()
    assert shown == f"of a step before\n{Path(told['markdown']).read_text()}"
    assert "# KeyVigil: " in shown
    addresses = re.findall(r"[^\s|]+@<!-- -->", shown)
    assert addresses
    assert {one[1:] for one in addresses} == {r"\*\*\*@<!-- -->"}

    summary.write_text("")
    outputs.write_text("")
    failed = tried(*bash, scan["run"], cwd=tmp_path, **around | {"KEYVIGIL_FAIL_ON": "info"})
    assert failed.returncode == 1
    assert summary.read_text().startswith("# KeyVigil: ")
    assert "sarif=" in outputs.read_text()

    summary.write_text("")
    silent = tried(*bash, scan["run"], cwd=tmp_path, **around | {"SUMMARY": "0"})
    assert (silent.returncode, summary.read_text()) == (0, "")
