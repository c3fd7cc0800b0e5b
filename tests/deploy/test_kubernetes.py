"""The manifests, and what the chart renders: judged by Kubernetes' own schemas and by our wants."""

import copy
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest

from scanner.settings_file import read_settings_file
from tests.deploy.manifests import (
    PLAIN,
    RENDERED,
    Document,
    complaints,
    documents,
    pod_of,
)

FILES = sorted([*PLAIN.rglob("*.yaml"), *RENDERED.glob("*.yaml")])
ALL = [
    pytest.param(document, id=f"{path.stem}-{document['kind']}")
    for path in FILES
    for document in documents(path)
]
OF_OTHERS = frozenset({"external-secrets.io/v1", "monitoring.coreos.com/v1"})
OLDEST = "1.31.0"
NEWEST = "1.37.0"


def is_valid(document: Document, version: str) -> bool:
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError:
        return False
    return True


def test_all_that_is_made_is_judged() -> None:
    kinds = {document["kind"] for path in FILES for document in documents(path)}
    assert kinds == {
        "ConfigMap",
        "CronJob",
        "Deployment",
        "ExternalSecret",
        "Ingress",
        "Namespace",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Pod",
        "PrometheusRule",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    }


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("document", ALL)
def test_kubernetes_takes_every_document(document: Document, version: str) -> None:
    if document["apiVersion"] not in OF_OTHERS:
        assert is_valid(document, version)


@pytest.mark.parametrize("document", ALL)
def test_every_document_is_as_we_want_it(document: Document) -> None:
    assert complaints(document) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_pod_names_is_there(path: Path, tmp_path: Path) -> None:
    folder = PLAIN if path.is_relative_to(PLAIN) else None
    around = sorted(folder.glob("*.yaml")) if folder else [path]
    made = {(one["kind"], one["metadata"]["name"]) for file in around for one in documents(file)}
    for document in documents(path):
        pod = pod_of(document)
        if pod is None:
            continue
        named = {("ServiceAccount", pod["serviceAccountName"])}
        for volume in pod["volumes"]:
            if "configMap" in volume:
                named.add(("ConfigMap", volume["configMap"]["name"]))
            if "persistentVolumeClaim" in volume:
                named.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        assert named <= made
    for document in documents(path):
        if document["kind"] == "ConfigMap":
            settings = tmp_path / "keyvigil.yaml"
            settings.write_text(document["data"]["keyvigil.yaml"])
            read_settings_file(settings)


def cron_job() -> Document:
    (document,) = documents(PLAIN / "cronjob.yaml")
    return copy.deepcopy(document)


def network() -> Document:
    (document,) = documents(PLAIN / "networkpolicy.yaml")
    return copy.deepcopy(document)


def container_of(document: Document) -> Document:
    pod = pod_of(document)
    assert pod is not None
    container: Document = pod["containers"][0]
    return container


def job_of(document: Document) -> Document:
    job: Document = document["spec"]["jobTemplate"]["spec"]
    return job


BREAKS: list[Callable[[Document], object]] = [
    lambda it: pod_of(it)["securityContext"].pop("runAsNonRoot"),  # type: ignore[index]
    lambda it: pod_of(it)["securityContext"].update(runAsUser=0),  # type: ignore[index]
    lambda it: pod_of(it)["securityContext"].pop("seccompProfile"),  # type: ignore[index]
    lambda it: pod_of(it).pop("automountServiceAccountToken"),  # type: ignore[union-attr]
    lambda it: pod_of(it).pop("enableServiceLinks"),  # type: ignore[union-attr]
    lambda it: pod_of(it)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),  # type: ignore[index]
    lambda it: container_of(it)["securityContext"].pop("readOnlyRootFilesystem"),
    lambda it: container_of(it)["securityContext"].update(allowPrivilegeEscalation=True),
    lambda it: container_of(it)["securityContext"].update(capabilities={"add": ["NET_ADMIN"]}),
    lambda it: container_of(it).update(image="keyvigil"),
    lambda it: container_of(it).update(image="registry.example.com:5000/keyvigil:latest"),
    lambda it: container_of(it).pop("resources"),
    lambda it: container_of(it).update(env=[{"name": "OPENAI_ADMIN_KEY", "value": "x"}]),
    lambda it: container_of(it)["args"].append("postgresql://keyvigil:hunter2@db/keyvigil"),
    lambda it: it["spec"].update(concurrencyPolicy="Allow"),
    lambda it: it["spec"].pop("startingDeadlineSeconds"),
    lambda it: it["spec"].pop("timeZone"),
    lambda it: it["spec"].update(schedule="17 3 * *"),
    lambda it: pod_of(it).update(restartPolicy="Newer"),  # type: ignore[union-attr]
    lambda it: job_of(it).pop("ttlSecondsAfterFinished"),
    lambda it: job_of(it).update(activeDeadlineSeconds=1800),
    lambda it: job_of(it).update(backoffLimit=6),
    lambda it: job_of(it).pop("podFailurePolicy"),
]


@pytest.mark.parametrize("number", range(len(BREAKS)))
def test_no_break_of_the_cron_job_goes_by_unseen(number: int) -> None:
    document = cron_job()
    BREAKS[number](document)
    assert complaints(document)


def test_no_break_of_the_network_policy_goes_by_unseen() -> None:
    everywhere, closed_late, open_in = network(), network(), network()
    everywhere["spec"]["egress"].append({})
    closed_late["spec"]["policyTypes"] = ["Ingress"]
    open_in["spec"]["ingress"] = [{}]
    assert [bool(complaints(one)) for one in (everywhere, closed_late, open_in)] == [True] * 3


def test_an_ingress_without_tls_is_refused() -> None:
    (made,) = (one for one in documents(RENDERED / "shown.yaml") if one["kind"] == "Ingress")
    assert not complaints(made)
    del made["spec"]["tls"]
    assert complaints(made)


def test_a_misspelt_field_is_no_field_for_kubernetes() -> None:
    document = cron_job()
    job_of(document)["backofLimit"] = 1
    assert not is_valid(document, NEWEST)


def test_a_secret_or_a_token_is_refused() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"X": "y"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}}
    assert complaints(secret)
    assert complaints(account)
