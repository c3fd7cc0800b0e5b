"""The licences of the image's Python distributions, for docs/licences.md: `make licences`."""

import json
import re
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from deploy.release.locked import LOCK, ROOT, Locked, ReleaseError, files, install, read_lock

DOCUMENT: Final = ROOT / "docs" / "licences.md"
TABLE: Final = Path(__file__).parent / "bundled.toml"
TEMPLATE: Final = Path(__file__).parent / "licences.md.in"
_SPDX: Final = {"ISC License (ISCL)": "ISC", "MIT License": "MIT"}
"""Classifiers that name exactly one licence; "BSD License" does not."""
_COMPILED: Final = re.compile(r"\.(so|pyd|dylib)(\.|$)")
_LICENCE_FILE: Final = re.compile(r"(^|/)(LICEN[CS]E|COPYING|NOTICE)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """A part of a wheel that is not its own code."""

    name: str
    licence: str
    files: tuple[str, ...]


def licence(distribution: Distribution) -> str:
    """Return its licence by License-Expression, else its classifiers, else the License field."""
    metadata = distribution.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    named = [
        *(metadata.get_all("License-Expression") or []),
        ", ".join(_SPDX.get(one, one) for one in classifiers),
        *(metadata.get_all("License") or []),
    ]
    for one in named:
        if one.strip() and one.strip() != "UNKNOWN":
            return str(one.strip().splitlines()[0])
    raise ReleaseError(
        f"{distribution.name} {distribution.version} names no licence in its metadata",
        help="find out its licence, or remove the dependency",
    )


def licence_files(distribution: Distribution) -> list[str]:
    """Return the licence texts in its metadata folder."""
    return sorted(
        path for path in files(distribution) if ".dist-info/" in path and _LICENCE_FILE.search(path)
    )


def bundled(distribution: Distribution, listed: Mapping[str, object]) -> list[Bundled]:
    """Return the parts of a wheel that `listed` has; raise ReleaseError if it does not fit."""
    name = _name(distribution)
    entries = listed.get(name)
    foreign = {path for path in files(distribution) if _is_foreign(path)}
    compiled = any(_COMPILED.search(path) for path in files(distribution))
    if entries is None and not compiled and not foreign:
        return []
    review = f"read the licences of the parts of {name} and list them in {TABLE.name}"
    if entries is None or not isinstance(entries, list):
        raise ReleaseError(f"{name} contains compiled or copied code", help=review)
    parts = [_part(distribution, entry) for entry in entries]
    for part in parts:
        if not part.files:
            raise ReleaseError(f"{name} no longer contains {part.name}", help=review)
        foreign -= set(part.files)
    if foreign:
        raise ReleaseError(f"{name} contains {', '.join(sorted(foreign))}", help=review)
    return parts


def _is_foreign(path: str) -> bool:
    """Whether a file belongs to others: a library beside the wheel's own, or a copied licence."""
    folder = path.partition("/")[0]
    if folder.endswith(".dist-info"):
        return False
    return folder.endswith(".libs") or _LICENCE_FILE.search(path) is not None


def _part(distribution: Distribution, entry: Mapping[str, str]) -> Bundled:
    patterns = _alternatives(entry["files"])
    paths = (path for path in files(distribution) if any(fnmatch(path, one) for one in patterns))
    return Bundled(name=entry["name"], licence=entry["licence"], files=tuple(sorted(paths)))


def _alternatives(pattern: str) -> list[str]:
    """Return the patterns of `a{b,c}d`."""
    if "{" not in pattern:
        return [pattern]
    before, rest = pattern.split("{")
    inside, after = rest.split("}")
    return [f"{before}{one}{after}" for one in inside.split(",")]


def own_sbom(distribution: Distribution) -> dict[str, list[str]]:
    """Return the licensed parts that the SBOMs inside a wheel (PEP 770) list, by licence."""
    found = defaultdict(set)
    for path in distribution.files or ():
        if re.search(r"\.dist-info/sboms/.*\.json$", path.as_posix()):
            for part in json.loads(path.read_text()).get("components", []):
                for one in part.get("licenses", []) if part.get("scope") != "excluded" else []:
                    found[_licensed(one)].add(f"{part['name']} {part['version']}")
    return {licensed: sorted(parts) for licensed, parts in sorted(found.items())}


def _licensed(entry: Mapping[str, Any]) -> str:
    """Return the expression, id or name of a CycloneDX licence."""
    named = entry.get("license", {})
    return str(entry.get("expression") or named.get("id") or named.get("name"))


def _name(distribution: Distribution) -> str:
    return canonicalize_name(distribution.name)


def document(locked: Iterable[Locked], installed: Mapping[str, Distribution]) -> str:
    """Return docs/licences.md."""
    listed = tomllib.loads(TABLE.read_text())
    unknown = listed.keys() - installed.keys()
    if unknown:
        raise ReleaseError(
            f"{TABLE.name} lists {', '.join(sorted(unknown))}, which the lock does not",
            help="remove the entry",
        )
    pairs = [(one, installed[one.name]) for one in locked]
    return TEMPLATE.read_text().format(
        distributions="\n".join(_distribution_row(*pair) for pair in pairs),
        bundled="\n".join(row for _, one in pairs for row in _bundled_rows(one, listed)),
        sboms="\n".join(row for _, one in pairs for row in _sbom_rows(one)),
    )


def _distribution_row(locked: Locked, distribution: Distribution) -> str:
    texts = ", ".join(f"`{path.partition('/')[2]}`" for path in licence_files(distribution))
    where = "yes" if locked.in_image else "no"
    return f"| {locked.name} | {locked.version} | {licence(distribution)} | {texts} | {where} |"


def _bundled_rows(distribution: Distribution, listed: Mapping[str, object]) -> Iterator[str]:
    for part in bundled(distribution, listed):
        libraries = {_library(path) for path in part.files if _COMPILED.search(path)}
        shown = ", ".join(f"`{one}`" for one in sorted(libraries)) or "Python modules"
        yield f"| {_name(distribution)} | {part.name} | {part.licence} | {shown} |"


def _library(path: str) -> str:
    """Return a library's name without its version, platform and the digest that a wheel adds."""
    return re.sub(r"(-[0-9a-f]{8})?\..*", "", Path(path).name)


def _sbom_rows(distribution: Distribution) -> Iterator[str]:
    for licensed, parts in own_sbom(distribution).items():
        yield f"| {_name(distribution)} | {licensed} | {', '.join(parts)} |"


def main() -> None:
    """Write docs/licences.md."""
    locked = read_lock(LOCK.read_text())
    with tempfile.TemporaryDirectory() as folder:
        try:
            DOCUMENT.write_text(document(locked, install(Path(folder))), encoding="utf-8")
        except ReleaseError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
