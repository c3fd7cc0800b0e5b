"""The chart: what Helm makes of it, what it refuses, and that every value is explained."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.commands import run
from tests.conftest import ROOT, golden
from tests.deploy.manifests import CHART, RENDERED

RENDER = Path(__file__).parent / "render_chart.py"
VALUES = CHART / "values.yaml"
SCHEMA = CHART / "values.schema.json"
ENTRIES = [
    {"name": "OPENAI_ADMIN_KEY", "key": "keyvigil", "property": "openai-admin-key"},
    {"name": "KEYVIGIL_STORE", "key": "keyvigil-postgres"},
]
CASES: dict[str, dict[str, Any]] = {
    "cronjob": {},
    "serve": {
        "mode": "serve",
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True},
    },
    "postgres": {
        "image": {"repository": "registry.example.com/keyvigil", "digest": "sha256:" + "a" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "secret": {"external": {"enabled": True, "data": ENTRIES}},
        "persistence": {"enabled": False},
        "policies": ["baseline", "/etc/keyvigil/team.yaml"],
        "policyFiles": {"team.yaml": "policy: team\nextends: [baseline]\n"},
        "cronjob": {"ttlSecondsAfterFinished": 12_096_000, "deadlineMinutes": 20},
        "extraArgs": ["--skip", "costs"],
        "extraEnv": [{"name": "KEYVIGIL_ORGANIZATION", "value": "acme"}],
        "networkPolicy": {
            "nodeLocalDns": "169.254.20.10/32",
            "httpsInside": ["10.1.2.3/32"],
            "extraEgress": [{"ports": [{"protocol": "TCP", "port": 587}]}],
        },
        "podAnnotations": {"example.com/team": "security"},
        "podLabels": {"team": "security"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
    },
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt": ({"cronjob": {"shedule": "0 3 * * *"}}, "shedule"),
    "latest": ({"image": {"tag": "latest"}}, "tag"),
    "mode": ({"mode": "deamon"}, "mode"),
    "secret": ({"extraEnv": [{"name": "OPENAI_ADMIN_KEY", "value": "x"}]}, "extraEnv"),
    "schedule": ({"cronjob": {"schedule": "3 am"}}, "schedule"),
    "monitor": ({"serviceMonitor": {"enabled": True}}, "serviceMonitor.enabled needs mode: serve"),
    "rules": ({"prometheusRule": {"enabled": True}}, "prometheusRule.enabled needs mode: serve"),
    "history": (
        {"persistence": {"enabled": False}, "secret": {"external": {"enabled": True}}},
        "must name KEYVIGIL_STORE",
    ),
    "key": (
        {"secret": {"external": {"enabled": True, "data": [{"name": "X", "key": "y"}]}}},
        "must name OPENAI_ADMIN_KEY",
    ),
}


@pytest.fixture(scope="module")
def helm(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Helm says of every case: its documents, or why it refuses."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "cases.json").write_text(
        json.dumps(CASES | {name: values for name, (values, _) in REFUSED.items()})
    )
    said = run(tools / "python", RENDER, CHART, folder / "cases.json", cwd=folder)
    answers: dict[str, Any] = json.loads(said)
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_helm_renders_what_is_kept_here(helm: dict[str, Any], case: str) -> None:
    files = helm["cases"][case]["files"]
    kept = [
        f"# {name}\n{text.strip()}\n"
        for name, text in sorted(files.items())
        if text.strip() and not name.endswith(("NOTES.txt", "dashboard.yaml"))
    ]
    golden(RENDERED / f"{case}.yaml", "---\n".join(kept))


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_helm_refuses_what_cannot_work_and_says_why(helm: dict[str, Any], case: str) -> None:
    assert REFUSED[case][1] in helm["cases"][case]["refused"]


@pytest.mark.slow
def test_helm_finds_nothing_to_complain_of(helm: dict[str, Any]) -> None:
    assert [said["error"] for said in helm["lint"]] == ["icon is recommended"]


@pytest.mark.slow
def test_the_rules_and_the_dashboard_are_those_of_deploy(helm: dict[str, Any]) -> None:
    made = helm["cases"]["serve"]["files"]
    rules = yaml.safe_load(made["keyvigil/templates/prometheusrule.yaml"])
    assert rules["spec"] == yaml.safe_load(
        (ROOT / "deploy" / "prometheus" / "keyvigil.rules.yaml").read_text()
    )
    board = yaml.safe_load(made["keyvigil/templates/dashboard.yaml"])
    assert json.loads(board["data"]["keyvigil.json"]) == json.loads(
        (ROOT / "deploy" / "grafana" / "keyvigil.json").read_text()
    )
    assert kubernetes_validate.validate(board, "1.31.0", strict=True)


@pytest.mark.slow
def test_the_notes_name_what_was_made(helm: dict[str, Any]) -> None:
    notes = {case: helm["cases"][case]["files"]["keyvigil/templates/NOTES.txt"] for case in CASES}
    assert "--from=cronjob/nightly-keyvigil" in notes["cronjob"]
    assert "deployment/nightly-keyvigil" in notes["serve"]
    assert "get externalsecret nightly-keyvigil" in notes["postgres"]


def test_every_value_is_explained() -> None:
    lines = VALUES.read_text().splitlines()
    for name, number in keys(yaml.compose(VALUES.read_text())):
        assert lines[number - 1].lstrip().startswith("#"), name


def keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """Return the chart's own values with their lines; below `of_users` the names are the user's."""
    of_users = {"reports", "metricsFrom"}
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for key, value in node.value:
            yield key.value, key.start_mark.line
            if key.value not in of_users:
                yield from keys(value)


def test_the_schema_knows_the_values_and_no_others() -> None:
    values = yaml.safe_load(VALUES.read_text())
    schema = json.loads(SCHEMA.read_text())
    assert schema["properties"].keys() == values.keys() | {"global"}
    for name, value in values.items():
        inner = schema["properties"][name].get("properties")
        if inner is not None:
            assert inner.keys() - {"claims"} == value.keys(), name


def test_chart_image_and_package_are_of_one_version() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.*)"', project, re.MULTILINE)
    assert version is not None
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version[1], version[1])
    image = f"keyvigil:{version[1]}"
    for path in (ROOT / "deploy").rglob("*.yaml"):
        for found in re.findall(r"image: (keyvigil\S*)", path.read_text()):
            assert found == image, path
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    assert f'image.version="{version[1]}"' in dockerfile
