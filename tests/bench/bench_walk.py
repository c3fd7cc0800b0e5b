"""The walk beside the official SDK's sequential walk, on a sandbox in a process of its own."""

import asyncio
import time
from collections.abc import Callable

import pytest
from openai import OpenAI

from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.pace import Pace
from scanner.secret import Secret
from tests.cli.running import sandbox
from tests.factories import EVERYTHING

ROUNDS = 3


def best_of(work: Callable[[], int]) -> tuple[float, int]:
    """Return the shortest of a few runs in seconds, and what the work counted."""
    times = []
    counted = 0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        counted = work()
        times.append(time.perf_counter() - start)
    return min(times), counted


def ours(settings: dict[str, str]) -> int:
    async def walk() -> int:
        key, url = Secret(settings["OPENAI_ADMIN_KEY"]), settings["OPENAI_BASE_URL"]
        async with AdminClient(key, base_url=url, pace=Pace(32)) as client:
            return len((await ApiCollector(client, EVERYTHING).collect()).keys)

    return asyncio.run(walk())


def sequential(settings: dict[str, str]) -> int:
    """Ask for what our walk asks for, one request at a time."""
    key, url = settings["OPENAI_ADMIN_KEY"], settings["OPENAI_BASE_URL"]
    with OpenAI(admin_api_key=key, api_key="unused", base_url=url) as client:
        admin = client.admin.organization
        list(admin.users.list(limit=100))
        count = len(list(admin.admin_api_keys.list(limit=100)))
        for project in admin.projects.list(include_archived=True, limit=100):
            keys = admin.projects.api_keys.list(project.id, owner_project_access="any", limit=100)
            count += len(list(keys))
            if project.status == "active":
                list(admin.projects.service_accounts.list(project.id, limit=100))
    return count


def test_walk(capsys: pytest.CaptureFixture[str]) -> None:
    with sandbox("--projects", "100", "--keys-per-project", "40") as settings:
        walk, keys = best_of(lambda: ours(settings))
        sdk, sdk_keys = best_of(lambda: sequential(settings))
    assert keys == sdk_keys
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark's result
            f"\n{keys:,} keys in 100 projects over loopback, no latency, best of {ROUNDS}:"
            f" walk {walk:.2f} s, official SDK one by one {sdk:.2f} s, ratio {sdk / walk:.1f}"
        )
