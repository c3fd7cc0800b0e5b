"""The release workflow: its scripts, run with stand-ins for the programs that need a network."""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.commands import copy_sources, run, tried
from tests.conftest import ROOT
from tests.deploy.dockerfile import FILE

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
JOB = yaml.safe_load(WORKFLOW.read_text())["jobs"]["release"]
(BASE,) = re.findall(r"^ARG PYTHON=(.*)$", FILE.read_text(), re.MULTILINE)
BUILDER = JOB["env"]["BUILDER"]
DIGESTS = {BASE: "sha256:" + "b" * 64, BUILDER: "sha256:" + "c" * 64}
IMAGE = "ghcr.io/example/keyvigil"
BUILT = f"{IMAGE}@sha256:{'d' * 64}"
DOCKER = """
import json, os, pathlib, sys
calls = pathlib.Path(os.environ["CALLS"])
words = sys.argv[1:]
if words[0] == "login":
    words.append(sys.stdin.read().strip())
with calls.open("a") as file:
    file.write(json.dumps(words) + "\\n")
match words:
    case ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]:
        print(json.loads(os.environ["DIGESTS"]).get(image, ""))
    case ["buildx", "imagetools", "inspect", *_]:
        print(json.dumps({"SLSA": os.environ["PROVENANCE"]}))
    case ["buildx", "build", *_]:
        target = words[words.index("--metadata-file") + 1]
        pathlib.Path(target).write_text(json.dumps({"containerimage.digest": "sha256:" + "d" * 64}))
    case ["run", *_, "--version"]:
        print("keyvigil " + os.environ["VERSION"])
    case ["run", *_]:
        print("| libc6 | 2.41 | LGPL-2.1+ | x |")
"""
RECORD = """
import json, os, pathlib, sys
with pathlib.Path(os.environ["CALLS"]).open("a") as file:
    file.write(json.dumps([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]) + "\\n")
"""
MADE = ("keyvigil.cdx.json", "keyvigil-0.1.0-py3-none-any.whl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A copy of the sources at a tag, in which the workflow's scripts run."""

    source: Path
    around: dict[str, str]

    def run(self, **changes: str) -> str:
        """Run the scripts until one fails; return that step's name, or "" if all succeed."""
        around = self.around | changes
        for step in JOB["steps"]:
            if "run" in step:
                around |= dict.fromkeys(step.get("env", {}), "made-up-token")
                shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
                if tried(*shell, step["run"], cwd=self.source, **around).returncode:
                    return str(step["name"])
                written = (self.source.parent / "environment").read_text().splitlines()
                around |= dict(line.split("=", 1) for line in written)
        return ""

    def calls(self) -> list[list[str]]:
        return [
            json.loads(line) for line in (self.source.parent / "calls").read_text().splitlines()
        ]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    source, programs = tmp_path / "source", tmp_path / "programs"
    source.mkdir()
    programs.mkdir()
    copy_sources(source)
    author = ("-c", "user.name=Example", "-c", "user.email=example@example.com")
    run("git", "init", "--quiet", cwd=source)
    run("git", *author, "commit", "--quiet", "--allow-empty", "--message", "x", cwd=source)
    (source / "dist").mkdir()
    for name in MADE:
        (source / "dist" / name).touch()
    for name, text in {
        "docker": DOCKER,
        "gh": RECORD,
        "make": RECORD,
        "../source/.venv/bin/python": RECORD,
    }.items():
        program = programs / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!{sys.executable}{text}")
        program.chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    (tmp_path / "environment").touch()
    (tmp_path / "calls").touch()
    return Release(
        source=source,
        around={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "BUILDER": BUILDER,
            "CALLS": str(tmp_path / "calls"),
            "DIGESTS": json.dumps(DIGESTS),
            "GITHUB_ACTOR": "example",
            "GITHUB_ENV": str(tmp_path / "environment"),
            "GITHUB_REF_NAME": "v0.1.0",
            "GITHUB_REPOSITORY": "Example/KeyVigil",
            "GITHUB_SERVER_URL": "https://git.example.com",
            "GITHUB_SHA": "e" * 40,
            "PROVENANCE": DIGESTS[BASE].removeprefix("sha256:"),
        },
    )


def values(call: list[str], flag: str) -> list[str]:
    return [call[at + 1] for at, word in enumerate(call) if word == flag]


def test_the_image_is_built_from_the_digest_of_its_base_and_records_it(release: Release) -> None:
    assert release.run() == ""
    (build,) = (call for call in release.calls() if call[:2] == ["buildx", "build"])
    assert values(build, "--build-arg") == [f"PYTHON={BASE}@{DIGESTS[BASE]}"]
    labels = dict(one.split("=", 1) for one in values(build, "--label"))
    assert labels == {
        "org.opencontainers.image.base.name": f"docker.io/library/{BASE}",
        "org.opencontainers.image.base.digest": DIGESTS[BASE],
        "org.opencontainers.image.revision": "e" * 40,
        "org.opencontainers.image.source": "https://git.example.com/Example/KeyVigil",
    }
    assert values(build, "--provenance") == ["mode=max"]
    (create,) = (call for call in release.calls() if call[:2] == ["buildx", "create"])
    assert values(create, "--driver-opt") == [f"image={BUILDER}@{DIGESTS[BUILDER]}"]


def test_the_release_has_the_digests_the_sbom_and_the_licences(release: Release) -> None:
    assert release.run() == ""
    publish = release.calls()[-1]
    assert publish[:4] == ["gh", "release", "create", "v0.1.0"]
    attached = {Path(word).name for word in publish if word.startswith("dist/")}
    assert attached == {*MADE, "images.txt", "licences.md", "os-packages.md", "provenance.json"}
    recorded = (release.source / "dist" / "images.txt").read_text()
    assert recorded.splitlines() == [
        f"image: {BUILT.replace('@', ':0.1.0@')}",
        f"base: docker.io/library/{BASE}@{DIGESTS[BASE]}",
        f"builder: docker.io/{BUILDER}@{DIGESTS[BUILDER]}",
    ]
    (notes,) = values(publish, "--notes-file")
    assert recorded in (release.source / notes).read_text()
    assert ["make", "sbom"] in release.calls()


def test_the_image_is_tagged_only_after_it_was_verified(release: Release) -> None:
    assert release.run() == ""
    tagged = ["buildx", "imagetools", "create", "--tag", f"{IMAGE}:0.1.0", BUILT]
    verified = [at for at, call in enumerate(release.calls()) if call[0] == "run"]
    assert len(verified) == 2
    assert release.calls().index(tagged) > max(verified)


def test_the_token_is_in_no_command_line(release: Release) -> None:
    assert release.run() == ""
    using = [call for call in release.calls() if any("made-up-token" in word for word in call)]
    login = ["login", "ghcr.io", "--username", "example", "--password-stdin"]
    assert using == [[*login, "made-up-token"]]  # the last word is what it read from stdin


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        ("Compare the tag with the version", {"GITHUB_REF_NAME": "v9.9.9"}),
        ("Resolve the base image and the builder to digests", {"DIGESTS": "{}"}),
        (
            "Resolve the base image and the builder to digests",
            {"DIGESTS": json.dumps({BASE: DIGESTS[BASE], BUILDER: "latest"})},
        ),
        ("Verify the image", {"PROVENANCE": "of another base"}),
    ],
)
def test_nothing_is_published_if_a_step_fails(
    release: Release, step: str, changes: dict[str, str]
) -> None:
    assert release.run(**changes) == step
    assert not [call for call in release.calls() if call[0] == "gh" or "--tag" in call]


def test_no_expression_stands_in_a_script() -> None:
    for step in JOB["steps"]:
        assert "${{" not in step.get("run", "")
