"""The SBOM: the locked distributions, in a form that the validator of CycloneDX accepts."""

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.release.licences import licence
from deploy.release.locked import LOCK, ReleaseError, read_lock
from deploy.release.sbom import sbom
from tests.deploy.conftest import Wheels

pytestmark = pytest.mark.slow

LOCKED = read_lock(LOCK.read_text())
TIME = "SOURCE_DATE_EPOCH"


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TIME, raising=False)


@pytest.fixture
def bom(wheels: Wheels) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(sbom(LOCKED, wheels))
    return read


def reached(bom: dict[str, Any], start: str) -> set[str]:
    """Return what the dependency graph reaches from a component."""
    edges = {one["ref"]: one.get("dependsOn", []) for one in bom["dependencies"]}
    found, waiting = {start}, [start]
    while waiting:
        new = set(edges[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def test_it_lists_exactly_the_locked_distributions(bom: dict[str, Any]) -> None:
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    listed = {
        (one["name"], one["version"], tuple(hashed["content"] for hashed in one["hashes"]))
        for one in bom["components"]
    }
    assert listed == {(one.name, one.version, one.hashes) for one in LOCKED}
    assert len(bom["components"]) == len(LOCKED)
    assert {hashed["alg"] for one in bom["components"] for hashed in one["hashes"]} == {"SHA-256"}


def test_its_hashes_are_all_that_the_lock_has(bom: dict[str, Any]) -> None:
    count = sum(len(one["hashes"]) for one in bom["components"])
    assert count == LOCK.read_text().count("--hash=sha256:")


def test_each_component_has_a_purl_and_the_licence_of_the_list(
    bom: dict[str, Any], wheels: Wheels
) -> None:
    for one in bom["components"]:
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{one['name']}@{one['version']}"
        (named,) = one["licenses"]
        inner = named.get("license", {})
        shown = named.get("expression") or inner.get("id") or inner.get("name")
        assert shown == licence(wheels[one["name"]])


def test_its_graph_reaches_every_component_from_keyvigil(bom: dict[str, Any]) -> None:
    root = bom["metadata"]["component"]
    assert (root["name"], root["type"]) == ("keyvigil", "application")
    every = {one["bom-ref"] for one in bom["components"]} | {root["bom-ref"]}
    assert reached(bom, root["bom-ref"]) == every


def test_the_graph_follows_extras_only_where_they_are_required(bom: dict[str, Any]) -> None:
    edges = {
        one["ref"].partition("@")[0]: {ref.partition("@")[0] for ref in one.get("dependsOn", [])}
        for one in bom["dependencies"]
    }
    assert "pkg:pypi/psycopg-binary" in edges["pkg:pypi/psycopg"]
    assert edges["pkg:pypi/slack-sdk"] == set()  # its extras include sqlalchemy


def test_distributions_for_other_platforms_are_optional(bom: dict[str, Any]) -> None:
    optional = {one["name"] for one in bom["components"] if one["scope"] == "optional"}
    assert optional == {"colorama", "httpx2-jsfetch"}


def test_the_same_lock_gives_the_same_bytes(wheels: Wheels) -> None:
    first = sbom(LOCKED, wheels)
    assert sbom(tuple(reversed(LOCKED)), dict(reversed(list(wheels.items())))) == first
    assert "serialNumber" not in first
    assert "timestamp" not in first


def test_its_time_is_that_of_the_sources(wheels: Wheels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TIME, "1700000000")
    read = json.loads(sbom(LOCKED, wheels))
    assert read["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("value", ["now", "-1", "9" * 12])
def test_an_invalid_time_is_an_error(
    wheels: Wheels, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(TIME, value)
    with pytest.raises(ReleaseError, match=r"SOURCE_DATE_EPOCH is .*\nhelp: "):
        sbom(LOCKED, wheels)


def test_the_validator_of_cyclonedx_accepts_it_and_notices_a_defect(wheels: Wheels) -> None:
    judge = JsonStrictValidator(SchemaVersion.V1_6)
    text = sbom(LOCKED, wheels)
    assert judge.validate_str(text) is None
    broken = text.replace('"alg": "SHA-256"', '"alg": "SHA-25"', 1)
    assert judge.validate_str(broken) is not None
