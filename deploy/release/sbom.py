"""The CycloneDX SBOM of the locked run-time distributions: `make sbom`."""

import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.release.licences import licence
from deploy.release.locked import LOCK, ROOT, Locked, ReleaseError, install, read_lock

FILE: Final = ROOT / "dist" / "keyvigil.cdx.json"


def sbom(locked: Iterable[Locked], installed: Mapping[str, Distribution]) -> str:
    """Return the SBOM as CycloneDX 1.6 JSON: the same bytes for the same lock.

    A component's hashes are those of all files that the lock allows. Its timestamp is
    SOURCE_DATE_EPOCH; without that it has none.
    """
    project = _project()
    root = _component(project["name"], project["version"], project["license"])
    root.type = ComponentType.APPLICATION
    components = {one.name: _locked_component(one, installed[one.name]) for one in locked}
    bom = Bom(components=components.values(), metadata=BomMetaData(component=root))
    optional = [one for extra in project["optional-dependencies"].values() for one in extra]
    edges = {root.name: set(_targets(project["dependencies"] + optional))}
    edges |= _dependencies(edges[root.name], installed)
    for name, targets in edges.items():
        source = root if name == root.name else components[name]
        bom.register_dependency(source, [components[one] for one in _names(targets, components)])
    _make_reproducible(bom)
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    invalid = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if invalid:
        raise ReleaseError(f"the SBOM is not valid: {invalid}", help="run `make lock`")
    return text


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _locked_component(locked: Locked, distribution: Distribution) -> Component:
    component = _component(locked.name, locked.version, licence(distribution))
    component.scope = ComponentScope.REQUIRED if locked.in_image else ComponentScope.OPTIONAL
    component.hashes = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in locked.hashes]
    return component


def _component(name: str, version: str, licensed: str) -> Component:
    purl = PackageURL(type="pypi", name=name, version=version)
    declared = LicenseAcknowledgement.DECLARED
    named = LicenseFactory().make_from_string(licensed, license_acknowledgement=declared)
    return Component(
        name=name, version=version, purl=purl, bom_ref=purl.to_string(), licenses=[named]
    )


def _dependencies(
    roots: Iterable[tuple[str, str]], installed: Mapping[str, Distribution]
) -> dict[str, set[tuple[str, str]]]:
    """Return what each distribution that is reached from `roots` requires, with the extras."""
    found: dict[str, set[tuple[str, str]]] = {}
    waiting, seen = list(roots), set(roots)
    while waiting:
        name, extra = waiting.pop()
        if name in installed:
            targets = set(_targets(installed[name].requires or [], extra))
            found[name] = found.get(name, set()) | targets
            waiting += targets - seen
            seen |= targets
    return found


def _targets(requirements: Iterable[str], extra: str = "") -> Iterator[tuple[str, str]]:
    """Yield each required distribution with "" and with each extra of it that is required.

    Markers other than `extra` are ignored: the lock is for all platforms.
    """
    for requirement in map(Requirement, requirements):
        extras = re.findall(r'extra == "([^"]+)"', str(requirement.marker or ""))
        if not extras or extra in extras:
            for wanted in ("", *requirement.extras):
                yield canonicalize_name(requirement.name), wanted


def _names(targets: Iterable[tuple[str, str]], components: Mapping[str, Component]) -> list[str]:
    return sorted({name for name, _ in targets} & components.keys())


def _make_reproducible(bom: Bom) -> None:
    bom.serial_number = None  # type: ignore[assignment] # the field is optional in the format
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not re.fullmatch(r"[0-9]{0,11}", epoch):
        raise ReleaseError(
            f"SOURCE_DATE_EPOCH is {epoch!r}, not a number of seconds",
            help="unset it, or set it to the time of the commit: git log -1 --format=%ct",
        )
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else None
    bom.metadata.timestamp = moment  # type: ignore[assignment] # likewise


def main() -> None:
    """Write dist/keyvigil.cdx.json."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            text = sbom(read_lock(LOCK.read_text()), install(Path(folder)))
        except ReleaseError as error:
            sys.exit(str(error))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
