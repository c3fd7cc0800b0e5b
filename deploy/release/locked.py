"""The locked run-time distributions, and the wheels of them that the image installs."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parent.parent.parent
LOCK: Final = ROOT / "requirements.lock"
DOCKERFILE: Final = ROOT / "deploy" / "docker" / "Dockerfile"
_IMAGE: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}


class ReleaseError(Exception):
    """A release cannot be described: the error, and what to do next."""

    def __init__(self, message: str, *, help: str) -> None:  # noqa: A002 - the word users see
        super().__init__(f"error: {message}\nhelp: {help}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One distribution of the lock: SHA-256 of each file that may be installed, as hexadecimal.

    `in_image` is False for a distribution that other platforms need.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    in_image: bool


def read_lock(text: str) -> tuple[Locked, ...]:
    """Return the distributions of a lock file of pip, by name."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [_read_line(line) for line in lines if line and not line.startswith("#")]
    return tuple(sorted(found, key=lambda one: one.name))


def _read_line(line: str) -> Locked:
    requirement, *hashes = re.split(r"\s+--hash=sha256:", line)
    read = Requirement(requirement)
    (version,) = (pin.version for pin in read.specifier)
    return Locked(
        name=canonicalize_name(read.name),
        version=version,
        hashes=tuple(sorted(one.strip() for one in hashes)),
        in_image=read.marker is None or read.marker.evaluate({**_IMAGE, **_image_python()}),
    )


def _image_python() -> dict[str, str]:
    python = image_python()
    return {"python_version": python, "python_full_version": f"{python}.0"}


def image_python() -> str:
    """Return the image's version of Python, such as 3.13."""
    (python,) = re.findall(r"^ARG PYTHON=python:(\d+\.\d+)-", DOCKERFILE.read_text(), re.MULTILINE)
    return str(python)


def install(folder: Path, *, processor: str = "x86_64") -> Mapping[str, Distribution]:
    """Install every locked distribution into `folder`, as the image would; return them by name.

    Those for other platforms are included: their wheels have no compiled code.
    """
    unmarked = folder / "requirements.txt"
    unmarked.write_text(re.sub(r" ;[^\\\n]*", "", LOCK.read_text()))
    site = folder / "site"
    uv = (str(Path(sys.executable).parent / "uv"), "--system-certs", "pip", "install", "--quiet")
    exactly = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(site))
    platform = ("--python-platform", f"{processor}-manylinux_2_40")
    done = subprocess.run(  # noqa: S603 - our own command
        [*uv, *exactly, "--python-version", image_python(), *platform, "-r", str(unmarked)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(
            f"{LOCK.name} cannot be installed: {done.stderr.strip()}",
            help="check the connection to the package index, or run `make lock`",
        )
    return {canonicalize_name(one.name): one for one in distributions(path=[str(site)])}


def files(distribution: Distribution) -> Iterator[str]:
    """Yield the paths of its files as its RECORD lists them."""
    for path in distribution.files or ():
        yield path.as_posix()
