"""The walk beside what bounds it, on a sandbox in a process of its own; prints a table.

Beside it: the official SDK asking for the same, one request at a time; the bare limits, which are
requests x latency / requests under way, and requests / rate; a loop that only fetches and parses.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI

from scanner.errors import ApiError
from scanner.garbage import look_for_garbage_less_often
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.pace import Pace
from scanner.plan import make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.secret import Secret
from tests.cli.running import environment, sandbox

UNDER_WAY = 32
LATENCY = 0.08
RATE = 50
ROUNDS = 3
SIZE = ("--projects", "500", "--keys-per-project", "40")
HUGE = ("--projects", "10000", "--keys-per-project", "40")


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What one walk took: seconds of wall time and of its process's CPU, bytes at the peak."""

    keys: int
    projects: int
    requests: int
    refused: int
    wall: float
    cpu: float
    peak: int


def ours(settings: dict[str, str], rounds: int = 1) -> Walked:
    """Walk as a scan with the baseline does, in a process that does nothing else; take the best."""
    done = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, str(rounds)],
        env={**environment(settings), "PYTHONPATH": "."},
        check=True,
        capture_output=True,
        text=True,
    )
    walks = [Walked(**json.loads(line)) for line in done.stdout.splitlines()]
    return min(walks, key=lambda walked: walked.wall)


def walk_here(settings: Mapping[str, str], policies: tuple[Policy, ...]) -> Walked:
    """Walk in this process."""
    refused: Counter[str] = Counter()
    plan = make_plan(policies)

    def asks_again(_error: ApiError, _seconds: float) -> None:
        refused["429"] += 1

    walks: list[Walked] = []

    async def walk() -> None:
        # Not returned: asyncio.run spells a task's whole result out when it ends.
        key, url = Secret(settings["OPENAI_ADMIN_KEY"]), settings["OPENAI_BASE_URL"]
        pace = Pace(UNDER_WAY)
        async with AdminClient(key, base_url=url, pace=pace, asks_again=asks_again) as client:
            wall, cpu = time.perf_counter(), time.process_time()
            inventory = await ApiCollector(client, plan).collect()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        walks.append(
            Walked(
                keys=len(inventory.keys),
                projects=len(inventory.projects),
                requests=sum(row.pages for row in inventory.coverage),
                refused=refused["429"],
                wall=wall,
                cpu=cpu,
                peak=peak_memory(),
            )
        )

    asyncio.run(walk())
    return walks[0]


def peak_memory() -> int:
    """Return this process's, in bytes; unlike ru_maxrss without the parent's."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(kilobytes)


def one_by_one(settings: dict[str, str]) -> float:
    """Return the seconds the official SDK takes for the same listings."""
    key, url = settings["OPENAI_ADMIN_KEY"], settings["OPENAI_BASE_URL"]
    start = time.perf_counter()
    with OpenAI(admin_api_key=key, api_key="unused", base_url=url) as client:
        admin = client.admin.organization
        list(admin.users.list(limit=100))
        list(admin.admin_api_keys.list(limit=100))
        for project in admin.projects.list(include_archived=True, limit=100):
            keys = admin.projects.api_keys.list(project.id, owner_project_access="any", limit=100)
            is_open = any(
                found.owner.type == "service_account" and found.owner_project_access == "inactive"
                for found in keys
            )
            if is_open and project.status == "active":
                list(admin.projects.service_accounts.list(project.id, limit=100))
    return time.perf_counter() - start


def bare(settings: dict[str, str]) -> tuple[float, int]:
    """Fetch every project's first page of keys, parse it and keep nothing.

    Returns the CPU seconds a request, and the bytes of JSON that came.
    """
    url = f"{settings['OPENAI_BASE_URL']}/organization/projects"
    headers = {"Authorization": f"Bearer {settings['OPENAI_ADMIN_KEY']}"}
    key = settings["OPENAI_ADMIN_KEY"]
    with OpenAI(admin_api_key=key, api_key="", base_url=settings["OPENAI_BASE_URL"]) as sdk:
        projects = sdk.admin.organization.projects
        ids = [project.id for project in projects.list(include_archived=True, limit=100)]
    left = iter(ids)
    sizes: list[int] = []

    async def work(client: httpx2.AsyncClient) -> None:
        for project_id in left:
            page = f"{url}/{project_id}/api_keys?limit=100&owner_project_access=any"
            answer = await client.get(page)
            json.loads(answer.content)
            sizes.append(len(answer.content))

    async def loop() -> float:
        async with httpx2.AsyncClient(headers=headers) as client:
            cpu = time.process_time()
            await asyncio.gather(*(work(client) for _ in range(UNDER_WAY)))
            return time.process_time() - cpu

    return asyncio.run(loop()) / len(ids), sum(sizes)


def show(capsys: pytest.CaptureFixture[str], *rows: str) -> None:
    with capsys.disabled():
        print("", *rows, sep="\n")  # noqa: T201 - a benchmark's result


def test_with_latency(capsys: pytest.CaptureFixture[str]) -> None:
    with sandbox(*SIZE, "--latency-ms", str(LATENCY * 1000)) as settings:
        walked = ours(settings, ROUNDS)
        sdk = one_by_one(settings)
    limit = walked.requests * LATENCY / UNDER_WAY
    show(
        capsys,
        f"500 projects, {walked.keys:,} keys, {LATENCY * 1000:.0f} ms latency,"
        f" {UNDER_WAY} under way, {walked.requests} requests:",
        f"  walk {walked.wall:.2f} s = {walked.wall / limit:.2f} x the limit of {limit:.2f} s;"
        f" official SDK one by one {sdk:.1f} s = {sdk / walked.wall:.1f} x the walk",
    )


def test_with_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with sandbox(*SIZE, "--rate", str(RATE), "--latency-ms", str(LATENCY * 1000)) as settings:
        walked = ours(settings)
    share = walked.requests / RATE / walked.wall
    refused = walked.refused / (walked.requests + walked.refused)
    show(
        capsys,
        f"the same at {RATE} requests a second (and a second's worth saved):"
        f" {share:.0%} of the rate, {refused:.1%} answered 429",
    )


def test_the_work_for_each_request(capsys: pytest.CaptureFixture[str]) -> None:
    with sandbox(*SIZE) as settings:
        walked = ours(settings, ROUNDS)
        loop = min(bare(settings)[0] for _ in range(ROUNDS))
    each = walked.cpu / walked.requests
    show(
        capsys,
        f"the same without latency: {each * 1000:.2f} ms of CPU a request"
        f" = {each / loop:.2f} x a loop that only fetches and parses JSON",
    )


def test_the_memory_of_a_huge_organization(capsys: pytest.CaptureFixture[str]) -> None:
    with sandbox(*HUGE) as settings:
        walked = ours(settings)
        _, read = bare(settings)
    show(
        capsys,
        f"{walked.keys:,} keys in {walked.projects:,} projects, no latency: {walked.wall:.0f} s,"
        f" peak memory {walked.peak / 1e6:.0f} MB = {walked.peak / read:.2f} x the"
        f" {read / 1e6:.0f} MB of the keys' JSON",
    )


def main(rounds: int) -> None:
    """Walk the organization of the environment so many times, as the command would."""
    look_for_garbage_less_often()
    policies = load_policies(["baseline"])
    for _ in range(rounds):
        print(json.dumps(asdict(walk_here(os.environ, policies))))  # noqa: T201 - what the parent reads


if __name__ == "__main__":
    main(int(sys.argv[1]))
