"""The chart: what Helm makes of it, what it refuses, and that every value is explained."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scanner.settings_file import read_settings_file
from tests.commands import run
from tests.conftest import ROOT, golden
from tests.deploy.manifests import CHART, RENDERED, Document, complaints, pod_of

RENDER = Path(__file__).parent / "render_chart.py"
VALUES = CHART / "values.yaml"
GUIDE = ROOT / "docs" / "deployment.md"
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
    "shown": {
        "mode": "serve",
        "extraEnv": [{"name": "KEYVIGIL_CA_BUNDLE", "value": "/run/ca/ca.crt"}],
        "extraEnvFrom": [{"secretRef": {"name": "slack"}}, {"configMapRef": {"name": "proxy"}}],
        "extraVolumes": [
            {"name": "ca", "secret": {"secretName": "company-ca"}},
            {"name": "vault", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
        "extraVolumeMounts": [
            {"name": "ca", "mountPath": "/run/ca", "readOnly": True},
            {"name": "vault", "mountPath": "/opt/vault", "readOnly": True},
        ],
        "initContainers": [
            {
                "name": "vault",
                "image": "registry.example.com/vault:1.20.0",
                "command": ["cp", "/bin/vault", "/opt/vault/vault"],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
                "volumeMounts": [{"name": "vault", "mountPath": "/opt/vault"}],
            }
        ],
        "serviceMonitor": {"enabled": True},
        "serve": {
            "reports": {"enabled": True},
            "probes": {
                "startup": {"failureThreshold": 120},
                "liveness": {"timeoutSeconds": 10, "failureThreshold": 5},
                "readiness": {"initialDelaySeconds": 3},
            },
            "annotations": {"reloader.stakater.com/auto": "true"},
            "serviceAnnotations": {"example.com/team": "security"},
        },
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
            "host": "keyvigil.example.com",
            "paths": ["/reports", "/healthz"],
            "tls": {"enabled": True, "secretName": "keyvigil-tls"},
        },
        "securityContext": {"runAsUser": 65532},
        "terminationGracePeriodSeconds": 120,
    },
}


def of_the_guide(part: str) -> dict[str, Any]:
    """Return the values that the guide shows in the block in which `part` stands."""
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (block,) = (one for one in blocks if part in one)
    values: dict[str, Any] = yaml.safe_load(block)
    return values


OPENSHIFT: dict[str, Any] = {
    "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
    "cronjob": {"annotations": {"team": "security"}, "jobAnnotations": {"job": "of-security"}},
}
"""The namespace gives the user; what is annotated comes along."""
OF_THE_NAMESPACE: dict[str, Any] = {
    "podSecurityContext": {
        "runAsUser": 1_000_680_000,
        "runAsGroup": 1_000_680_000,
        "fsGroup": 2_000_000,
    },
}
"""Users of such a namespace, named."""
ASKED: dict[str, dict[str, Any]] = {
    "openshift": OPENSHIFT,
    "large": OF_THE_NAMESPACE,
    "vault": {"mode": "serve", "secret": {"external": {"enabled": True}}},
    "vault-changed": {"mode": "serve", "secret": {"external": {"enabled": True, "data": ENTRIES}}},
    "key-file": of_the_guide("key_file:"),
    "browser": of_the_guide("ingress:"),
    "plain": {"mode": "serve", "ingress": {"enabled": True, "host": "a.example.com"}},
}
"""Rendered too, and looked at in part."""
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt": ({"cronjob": {"shedule": "0 3 * * *"}}, "shedule"),
    "latest": ({"image": {"tag": "latest"}}, "tag"),
    "mode": ({"mode": "deamon"}, "mode"),
    "secret": ({"extraEnv": [{"name": "OPENAI_ADMIN_KEY", "value": "x"}]}, "extraEnv"),
    "schedule": ({"cronjob": {"schedule": "3 am"}}, "schedule"),
    "monitor": ({"serviceMonitor": {"enabled": True}}, "serviceMonitor.enabled needs mode: serve"),
    "rules": ({"prometheusRule": {"enabled": True}}, "prometheusRule.enabled needs mode: serve"),
    "reports": (
        {"serve": {"reports": {"enabled": True}}},
        "serve.reports.enabled needs mode: serve",
    ),
    "ingress": (
        {"ingress": {"enabled": True, "host": "a.example.com"}},
        "ingress.enabled needs mode: serve",
    ),
    "host": ({"mode": "serve", "ingress": {"enabled": True}}, "ingress.enabled needs ingress.host"),
    "tls": (
        {
            "mode": "serve",
            "serve": {"reports": {"enabled": True}},
            "ingress": {"enabled": True, "host": "a.example.com"},
        },
        "ingress.tls.enabled must be true",
    ),
    "token": (
        {
            "mode": "serve",
            "serve": {"reports": {"enabled": True}},
            "secret": {"external": {"enabled": True}},
        },
        "must contain KEYVIGIL_REPORTS_TOKEN",
    ),
    "root": ({"podSecurityContext": {"runAsUser": 0}}, "runAsUser"),
    "privileged": ({"securityContext": {"privileged": True}}, "privileged"),
    "volume": ({"extraVolumes": [{"name": "state", "emptyDir": {}}]}, "extraVolumes"),
    "mount": ({"extraVolumeMounts": [{"name": "ca"}]}, "extraVolumeMounts"),
    "probe": ({"serve": {"probes": {"liveness": {"path": "/healthz"}}}}, "path"),
    "grace": ({"terminationGracePeriodSeconds": 5}, "terminationGracePeriodSeconds"),
    "init": ({"initContainers": [{"name": "x"}]}, "image"),
    "shown-token": (
        {"extraEnv": [{"name": "KEYVIGIL_REPORTS_TOKEN", "value": "x"}]},
        "extraEnv",
    ),
    "history": (
        {"persistence": {"enabled": False}, "secret": {"external": {"enabled": True}}},
        "must contain KEYVIGIL_STORE",
    ),
    "key": (
        {"secret": {"external": {"enabled": True, "data": [{"name": "X", "key": "y"}]}}},
        "must contain OPENAI_ADMIN_KEY",
    ),
}


@pytest.fixture(scope="module")
def helm(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Helm says of every case: its documents, or why it refuses."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "cases.json").write_text(
        json.dumps(CASES | ASKED | {name: values for name, (values, _) in REFUSED.items()})
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


def rendered(helm: dict[str, Any], case: str, template: str) -> Document:
    document: Document = yaml.safe_load(
        helm["cases"][case]["files"][f"keyvigil/templates/{template}"]
    )
    return document


@pytest.mark.slow
@pytest.mark.parametrize("case", ["openshift", "large"])
def test_the_pods_user_can_be_the_namespaces(helm: dict[str, Any], case: str) -> None:
    job = rendered(helm, case, "cronjob.yaml")
    pod = pod_of(job)
    assert pod is not None
    assert kubernetes_validate.validate(job, "1.31.0", strict=True)
    kept = {
        "runAsNonRoot": True,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    said = {
        name: value
        for name, value in ASKED[case]["podSecurityContext"].items()
        if value is not None
    }
    assert pod["securityContext"] == kept | said


@pytest.mark.slow
def test_serve_starts_anew_when_another_secret_is_made(helm: dict[str, Any]) -> None:
    """What stands in a Secret Helm cannot know; nor is a pod of a CronJob to start anew."""
    sums = {
        case: rendered(helm, case, "deployment.yaml")["spec"]["template"]["metadata"][
            "annotations"
        ].get("checksum/secret")
        for case in ("serve", "vault", "vault-changed")
    }
    assert sums["serve"] is None
    assert re.fullmatch(r"[0-9a-f]{64}", sums["vault"])
    assert re.fullmatch(r"[0-9a-f]{64}", sums["vault-changed"])
    assert sums["vault"] != sums["vault-changed"]


@pytest.mark.slow
def test_the_guides_way_to_the_reports_is_https(helm: dict[str, Any]) -> None:
    made = rendered(helm, "browser", "ingress.yaml")
    assert complaints(made) == []
    assert kubernetes_validate.validate(made, "1.31.0", strict=True)
    assert "--reports" in helm["cases"]["browser"]["files"]["keyvigil/templates/deployment.yaml"]


@pytest.mark.slow
def test_the_guides_key_file_is_a_file_that_is_mounted(
    helm: dict[str, Any], tmp_path: Path
) -> None:
    made = rendered(helm, "key-file", "deployment.yaml")
    assert kubernetes_validate.validate(made, "1.31.0", strict=True)
    settings = tmp_path / "keyvigil.yaml"
    settings.write_text(rendered(helm, "key-file", "configmap.yaml")["data"]["keyvigil.yaml"])
    (organization,) = read_settings_file(settings).organizations
    pod = pod_of(made)
    assert pod is not None
    (volume,) = (one for one in pod["volumes"] if one["name"] == "admin-key")
    (container,) = pod["containers"]
    (mount,) = (one for one in container["volumeMounts"] if one["name"] == "admin-key")
    (item,) = volume["secret"]["items"]
    assert "subPath" not in mount
    assert organization.key.file == Path(mount["mountPath"]) / item["path"]


@pytest.mark.slow
def test_a_cron_job_and_its_jobs_can_be_annotated(helm: dict[str, Any]) -> None:
    job = rendered(helm, "openshift", "cronjob.yaml")
    assert job["metadata"]["annotations"] == {"team": "security"}
    assert job["spec"]["jobTemplate"]["metadata"]["annotations"] == {"job": "of-security"}


@pytest.mark.slow
def test_without_reports_an_ingress_may_speak_plain_http(helm: dict[str, Any]) -> None:
    made = rendered(helm, "plain", "ingress.yaml")
    assert kubernetes_validate.validate(made, "1.31.0", strict=True)
    assert "tls" not in made["spec"]


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
    assert "https://keyvigil.example.com/reports/" in notes["shown"]
    assert "/reports/" not in notes["serve"]


def test_every_value_is_explained() -> None:
    lines = VALUES.read_text().splitlines()
    for name, number in keys(yaml.compose(VALUES.read_text()), {"reports", "metricsFrom"}):
        assert lines[number - 1].lstrip().startswith("#"), name


def keys(node: yaml.Node | None, of_users: set[str]) -> Iterator[tuple[str, int]]:
    """Return the chart's own values with their lines; below `of_users` the names are the user's."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for key, value in node.value:
            yield key.value, key.start_mark.line
            if key.value not in of_users:
                yield from keys(value, of_users - {"reports"})  # serve.reports are the chart's


def test_the_schema_knows_the_values_and_no_others() -> None:
    values = yaml.safe_load(VALUES.read_text())
    schema = json.loads(SCHEMA.read_text())
    assert schema["properties"].keys() == values.keys() | {"global"}
    assert list(unknown(values, schema, "")) == []


def unknown(values: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    """Return the values that the schema does not know, and those that it alone knows.

    Where it leaves names to Kubernetes, or a probe's to its defaults, it may know more.
    """
    known = schema.get("properties")
    if known is None or not isinstance(values, dict):
        return
    for name in values.keys() - known.keys():
        yield f"{place}{name}"
    if schema.get("additionalProperties") is False and "probes" not in place:
        for name in known.keys() - values.keys() - {"claims", "global"}:
            yield f"{place}{name}"
    for name in values.keys() & known.keys():
        yield from unknown(values[name], known[name], f"{place}{name}.")


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
