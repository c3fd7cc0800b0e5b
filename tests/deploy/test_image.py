"""The image: no engine is here, so its steps are carried out as they stand, below a folder."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.sandbox.app import SANDBOX_KEY
from tests.commands import UV, copy_sources, run, tried
from tests.conftest import ROOT, absent
from tests.deploy.dockerfile import FILE, Step, environment, exec_form, stages

BUILD, RUNTIME = stages()
CONTEXT = [source for step in BUILD if step.word == "COPY" for source in step.rest.split()[:-1]]
USER = "65532"
CONFINED = """
mount -o remount,bind,ro /
mount -t tmpfs -o uid=65532,gid=65532,mode=0700 tmpfs "$STATE"
cd "$STATE"
exec "$@"
"""
READS_ALL = "-all,+dac_read_search"
"""Python may lie in a home folder here; in the image everybody may read it."""
AS_USER = (
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--no-new-privs",
    f"--inh-caps={READS_ALL}",
    f"--ambient-caps={READS_ALL}",
    f"--bounding-set={READS_ALL}",
)


class Image:
    """The folder in which /opt, /src and /var of the image are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.at = Path("/")

    def here(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|src|var)/?(?=\W|\w)", rf"{self.root}/\1/", text)

    def carry_out(self, step: Step, context: Path) -> None:
        match step.word:
            case "WORKDIR":
                self.at = Path(self.here(step.rest + "/"))
                self.at.mkdir(parents=True)
            case "COPY":
                *sources, target = step.rest.split()
                for source in sources:
                    place = self.at / target
                    if (context / source).is_dir():
                        shutil.copytree(context / source, place)
                    else:
                        shutil.copy(context / source, place)
            case "RUN":
                path = f"{self.programs()}:{os.environ['PATH']}"
                run("/bin/sh", "-c", self.here(step.rest), cwd=self.at, PATH=path)
            case "FROM" | "ENV":
                pass
            case _:
                pytest.fail(f"{step.word} is not carried out here")

    def programs(self) -> Path:
        """Return a folder with `python`, which not every machine has under that name."""
        folder = self.root / "programs"
        folder.mkdir(exist_ok=True)
        python = folder / "python"
        python.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" "$@"\n')
        python.chmod(0o755)
        return folder

    def confined(self, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the image's user, with nothing writable but the state folder."""
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            absent("it takes root to become another user, and unshare to see a read-only disk")
        state = self.here("/var/lib/keyvigil")
        Path(state).mkdir(parents=True, exist_ok=True)
        said = {name: self.here(value) for name, value in environment(RUNTIME).items()}
        said["PATH"] = said["PATH"].removesuffix("${PATH}") + "/usr/bin:/bin"
        alone = ["env", "-i", *(f"{name}={value}" for name, value in (said | extra).items())]
        confine = ("unshare", "--mount", "sh", "-e", "-c", CONFINED, "sh")
        return tried(*confine, *AS_USER, *alone, *command, cwd=self.root, STATE=state)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image's steps, carried out in a folder that every user may enter."""
    source = tmp_path_factory.mktemp("context")
    copy_sources(source)
    with tempfile.TemporaryDirectory(prefix="keyvigil-image-") as root:
        Path(root).chmod(0o755)
        made = Image(Path(root))
        for step in BUILD:
            made.carry_out(step, source)
        yield made


@pytest.mark.slow
def test_its_program_is_the_one_of_this_version(image: Image) -> None:
    (program,) = exec_form(RUNTIME, "ENTRYPOINT")
    said = image.confined(program, "--version")
    (label,) = re.findall(r'image\.version="(.*?)"', FILE.read_text())
    assert (said.returncode, said.stdout) == (0, f"keyvigil {label}\n")


@pytest.mark.slow
def test_the_demo_runs_with_nothing_writable_but_its_state(image: Image) -> None:
    said = image.confined(*exec_form(RUNTIME, "ENTRYPOINT"), "demo")
    assert said.returncode == 0, said.stderr
    assert "9 of 14 keys " in said.stdout
    path = image.root / "new"
    spoilt = image.confined("python", "-c", f"open({str(path)!r}, 'w')")
    assert "Read-only file system" in spoilt.stderr
    strange = image.confined(
        "python", "-c", "import os; print(os.getuid(), os.access('.', os.W_OK))"
    )
    assert strange.stdout == f"{USER} True\n"


@pytest.mark.slow
def test_it_scans_without_being_told_anything_but_the_key(image: Image, sandbox_url: str) -> None:
    command = [*exec_form(RUNTIME, "ENTRYPOINT"), *exec_form(RUNTIME, "CMD")]
    key = {"OPENAI_ADMIN_KEY": SANDBOX_KEY, "OPENAI_BASE_URL": sandbox_url}
    said = image.confined(*command, "--output", "json=-", **key)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["scan"]["complete"] is True


@pytest.mark.slow
def test_it_has_every_extra_and_nothing_that_installs_or_builds(image: Image) -> None:
    extras = "import psycopg; print(psycopg.pq.__impl__)"
    assert image.confined("python", "-c", extras).stdout == "binary\n"
    site = next((image.root / "opt" / "keyvigil" / "lib").glob("python*/site-packages"))
    names = {path.name.partition("-")[0] for path in site.glob("*.dist-info")}
    assert "keyvigil" in names
    assert not names & {"pip", "setuptools", "hatchling", "pytest"}


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_all_that_is_locked_can_be_had_built_for_its_python(processor: str, tmp_path: Path) -> None:
    (python,) = re.findall(r"^ARG PYTHON=python:(\d\.\d+)-", FILE.read_text(), re.MULTILINE)
    install = (*UV, "pip", "install", "--quiet", "--dry-run", "--require-hashes")
    there = ("--python-version", python, "--python-platform", f"{processor}-manylinux_2_28")
    built = ("--target", tmp_path, "--only-binary", ":all:")
    run(*install, *there, *built, "-r", ROOT / "requirements.lock", cwd=tmp_path)


@pytest.mark.slow
def test_hadolint_finds_nothing(tools: Path) -> None:
    assert run(tools / "hadolint", "--no-color", FILE, cwd=ROOT) == ""


@pytest.mark.slow
def test_hadolint_finds_what_is_wrong(tools: Path, tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(FILE.read_text().replace('ENTRYPOINT ["keyvigil"]', "ENTRYPOINT keyvigil"))
    assert "DL3025" in tried(tools / "hadolint", broken, cwd=ROOT).stdout


def test_it_runs_as_nobody_in_particular() -> None:
    (user,) = (step.rest for step in RUNTIME if step.word == "USER")
    assert user == f"{USER}:{USER}"


def test_everything_is_installed_by_its_hash() -> None:
    installs = [
        command
        for step in BUILD
        if step.word == "RUN"
        for command in step.rest.split("&&")
        if "pip" in command and " install " in command
    ]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes --only-binary :all:" in command or "--no-index" in command


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert sorted(rule[1:] for rule in rules if rule.startswith("!")) == sorted(CONTEXT)
    assert fnmatch.filter(rules[1:], "[!!]*") == ["**/__pycache__"]
