"""Judging and loading beside what bounds them: parsing the same bytes; prints ratios."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from scanner.collection import Collection
from scanner.garbage import look_for_garbage_less_often
from scanner.inventory import Coverage, CoverageState, Inventory
from scanner.judge import judge
from scanner.openai_api.translate import (
    to_project,
    to_project_key,
    to_service_account,
    to_user,
)
from scanner.openai_api.wire import WireProject, WireProjectKey, WireServiceAccount, WireUser
from scanner.policy.parse import parse_policy
from scanner.policy_files import load_policies, policy_text
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.render import account_body, key_body, member_body, project_body
from scanner.sandbox.seeded import seeded_organization
from tests.cli.running import environment

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PROJECTS, KEYS = 2500, 40
ROUNDS = 5
COPIES = 100
"""Of the ten rules: a file of a thousand."""


def inventory_of(organization: SandboxOrganization) -> Inventory:
    """Read the organization through the API's own JSON, as if every listing was complete."""
    projects = organization.projects.values()
    of_all = (Collection.PROJECTS, Collection.USERS, Collection.ADMIN_KEYS)
    of_project = (Collection.PROJECT_KEYS, Collection.SERVICE_ACCOUNTS)
    listings: list[tuple[Collection, str | None]] = [(c, None) for c in of_all]
    listings += [(c, p.id) for c in of_project for p in projects]
    return Inventory(
        organization="bench",
        projects=tuple(to_project(WireProject(**project_body(p))) for p in projects),
        keys=tuple(
            to_project_key(WireProjectKey.model_validate(key_body(organization, p, k)), p.id)
            for p in projects
            for k in p.keys.values()
        ),
        users=tuple(
            to_user(WireUser.model_validate(member_body(m))) for m in organization.members.values()
        ),
        service_accounts=tuple(
            to_service_account(WireServiceAccount(**account_body(a)), p.id)
            for p in projects
            for a in p.accounts.values()
        ),
        coverage=tuple(
            Coverage(
                collection=collection,
                project_id=project_id,
                endpoint="bench",
                pages=1,
                items=1,
                state=CoverageState.COMPLETE,
            )
            for collection, project_id in listings
        ),
    )


def best(run: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of several runs."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def judging() -> str:
    organization = seeded_organization(
        seed=7, projects=PROJECTS, keys_per_project=KEYS, now=int(NOW.timestamp())
    )
    bodies = [key_body(organization, p, k) for p, k in organization.project_keys()]
    text = json.dumps(bodies)
    inventory = inventory_of(organization)
    del organization, bodies
    policies = load_policies(["strict"])
    parsing = best(lambda: json.loads(text))
    took = best(lambda: judge(inventory, policies, NOW))
    findings = len(judge(inventory, policies, NOW).findings)
    rules = sum(len(policy.rules) for policy in policies)
    return (
        f"{len(inventory.keys):,} keys x {rules} rules: {findings:,} findings in {took:.2f} s"
        f" = {took / parsing:.2f} x the {parsing:.2f} s of json.loads for the keys"
    )


def loading() -> str:
    texts = [policy_text(name)[0] for name in ("offboarding", "baseline")]
    rules = "".join(text.split("rules:\n", 1)[1].rstrip() + "\n\n" for text in texts)
    copies = (rules.replace("  - id: ", f"  - id: copy-{n}-") for n in range(COPIES))
    text = "policy: big\nrules:\n" + "".join(copies)
    composing = best(lambda: yaml.compose(text, Loader=yaml.CSafeLoader))
    took = best(lambda: parse_policy(text, "big.yaml"))
    count = len(parse_policy(text, "big.yaml").rules)
    return (
        f"a file of {count:,} rules: read in {took:.2f} s"
        f" = {took / composing:.2f} x the {composing:.2f} s in which PyYAML composes it"
    )


def test_judging_and_loading(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__],
        env={**environment({}), "PYTHONPATH": "."},
        check=True,
        capture_output=True,
        text=True,
    )
    with capsys.disabled():
        print("", done.stdout.rstrip(), sep="\n")  # noqa: T201 - a benchmark's result


if __name__ == "__main__":
    look_for_garbage_less_often()
    print(judging(), loading(), sep="\n")  # noqa: T201 - what the parent shows
