"""Manifests, and what we want of every one of them beside what Kubernetes wants."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

PLAIN = ROOT / "deploy" / "kubernetes"
CHART = ROOT / "deploy" / "helm" / "keyvigil"
RENDERED = Path(__file__).parent / "golden"
SECRETS = frozenset(
    {
        "KEYVIGIL_REPORTS_TOKEN",
        "KEYVIGIL_SLACK_TOKEN",
        "KEYVIGIL_SLACK_WEBHOOK",
        "KEYVIGIL_SMTP_URL",
        "KEYVIGIL_STORE",
        "KEYVIGIL_WEBHOOK_SECRET",
        "KEYVIGIL_WEBHOOK_URL",
        "OPENAI_ADMIN_KEY",
        "POSTGRES_PASSWORD",
    }
)
_LOOKS_SECRET = re.compile(r"sk-[a-z]+-\w{4}|xox[a-z]-|whsec_|://[^/\s:@]+:[^@\s${]+@")
_PORTS = {53, 443, 5432, 587}

Document = dict[str, Any]


def documents(path: Path) -> Iterator[Document]:
    """Read the documents of a file, as any YAML reader does."""
    for document in yaml.safe_load_all(path.read_text()):
        if document:
            yield document


def complaints(document: Document) -> list[str]:
    """Return what in a document is not as we want it."""
    found = [f"holds a secret: {text}" for text in texts(document) if _LOOKS_SECRET.search(text)]
    match document["kind"]:
        case "Secret":
            found.append("is a Secret: name one, do not write one")
        case "ServiceAccount":
            found += wrong(document, automountServiceAccountToken=False)
        case "NetworkPolicy":
            found += of_network(document["spec"])
        case "CronJob":
            found += of_schedule(document["spec"])
        case "Ingress":
            hosts = {host for one in document["spec"].get("tls", []) for host in one["hosts"]}
            if not {rule["host"] for rule in document["spec"]["rules"]} <= hosts:
                found.append("speaks plain http")
        case "Deployment":
            found += wrong(document["spec"], replicas=1, strategy={"type": "Recreate"})
    pod = pod_of(document)
    if pod is not None:
        lasts = document["kind"] == "Deployment"
        found += wrong(pod, restartPolicy="Always" if lasts else "Never") + of_pod(pod)
    return found


def texts(value: object) -> Iterator[str]:
    """Return every text in a document."""
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from texts(one)
        case list():
            for one in value:
                yield from texts(one)
        case _:
            pass


def wrong(holder: Document, **wanted: object) -> list[str]:
    """Return which of `wanted` the holder says otherwise, or does not say."""
    return [
        f"{name} is {holder.get(name)!r}, not {value!r}"
        for name, value in wanted.items()
        if holder.get(name) != value
    ]


def pod_of(document: Document) -> Document | None:
    """Return the specification of the pods that a document leads to."""
    spec: Document = document.get("spec", {})
    match document["kind"]:
        case "CronJob":
            spec = spec["jobTemplate"]["spec"]["template"]["spec"]
        case "Deployment":
            spec = spec["template"]["spec"]
        case "Pod":
            pass
        case _:
            return None
    return spec


def of_schedule(spec: Document) -> list[str]:
    job = spec["jobTemplate"]["spec"]
    found = wrong(spec, concurrencyPolicy="Forbid", timeZone="Etc/UTC")
    if not re.fullmatch(r"(\d+|\*)( (\d+|\*)){4}", spec["schedule"]):
        found.append(f"the schedule {spec['schedule']} is none")
    if spec.get("startingDeadlineSeconds", 0) < 60:
        found.append("startingDeadlineSeconds is missing or too short: a late night is lost")
    if not job.get("ttlSecondsAfterFinished"):
        found.append("ttlSecondsAfterFinished is missing: Jobs pile up")
    (container,) = job["template"]["spec"]["containers"]
    minutes = int(container["args"][container["args"].index("--deadline") + 1])
    tries = 1 + job.get("backoffLimit", 6)
    if tries * minutes * 60 >= job.get("activeDeadlineSeconds", 0):
        found.append("activeDeadlineSeconds ends a scan that would have ended by itself")
    final = [
        rule["onExitCodes"]["values"]
        for rule in job.get("podFailurePolicy", {}).get("rules", [])
        if rule["action"] == "FailJob"
    ]
    if final != [[1, 2, 5]]:
        found.append(f"is not tried again after {final}: it must be 1, 2 and 5")
    return found


def of_network(spec: Document) -> list[str]:
    found = wrong(spec, policyTypes=["Ingress", "Egress"])
    for rule in spec.get("egress", []):
        ports = {port["port"] for port in rule.get("ports", [])}
        if not ports or ports - _PORTS:
            found.append(f"lets out to the ports {sorted(ports)}")
    for rule in spec.get("ingress", []):
        if not rule.get("from"):
            found.append("lets everybody in")
    return found


def of_pod(pod: Document) -> list[str]:
    found = wrong(pod, automountServiceAccountToken=False, enableServiceLinks=False)
    found += wrong(
        pod.get("securityContext", {}),
        runAsNonRoot=True,
        runAsUser=65532,
        runAsGroup=65532,
        fsGroup=65532,
        seccompProfile={"type": "RuntimeDefault"},
    )
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            found.append(f"mounts {volume['hostPath']} of the node")
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        found += of_container(container)
    return found


def of_container(container: Document) -> list[str]:
    found = wrong(
        container.get("securityContext", {}),
        allowPrivilegeEscalation=False,
        readOnlyRootFilesystem=True,
        capabilities={"drop": ["ALL"]},
    )
    if not is_pinned(container["image"]):
        found.append(f"the image {container['image']} names no version")
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}) or "cpu" not in resources.get("requests", {}):
        found.append("resources are missing")
    for variable in container.get("env", []):
        if variable["name"] in SECRETS and "value" in variable:
            found.append(f"{variable['name']} stands in the manifest")
    return found


def is_pinned(image: str) -> bool:
    """Whether an image is named by a digest, or by a tag that is not latest."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return bool(re.fullmatch(r"sha256:[0-9a-f]{64}", digest)) or tag not in {"", "latest"}
