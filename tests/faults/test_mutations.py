"""One field of one record is invalid: findings that do not depend on it are unchanged."""

import io
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.cli.app import main
from scanner.sandbox.app import SANDBOX_KEY, AsgiApp, Receive, SandboxApp, Scope, Send
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.sandbox.torn import Altered
from tests.cli.running import environment
from tests.factories import NOW
from tests.support.examples import examples

pytestmark = pytest.mark.slow
EXAMPLES: Final = examples(200)
RULE: Final = "  - {{ id: {}, title: t, severity: low, violated_when: {{ {} }}, why: w, fix: f }}\n"
RULES: Final = {
    "busy": "usage.requests: { over: 9 }",
    "dear": "usage.cost_usd: { over: 1 }",
    "wide": "scopes: all",
    "named": 'key.name: { like: "*-bot*" }',
}
POLICY: Final = "policy: every-fact\nextends: [strict]\nrules:\n" + "".join(
    RULE.format(name, condition) for name, condition in RULES.items()
)
OMITTED: Final = "omitted"
VALUES: Final[Mapping[str, object]] = {
    OMITTED: None,
    "null": None,
    "zero": 0,
    "negative": -1,
    "one": 1,
    "milliseconds": int(NOW.timestamp()) * 1000,
    "future": int(NOW.timestamp()) + 400 * 86_400,
    "fraction": 1.5,
    "ISO": "2026-01-01T00:00:00Z",
    "huge": 10**400,
    "text": "text",
    "empty": "",
    "boolean": True,
    "half a pair": "x\ud83d",
    "list": [1],
    "object": {"a": {"b": [None]}},
    "nested": json.loads("[" * 300 + "]" * 300),
    "long": "x" * 100_000,
}


AMOUNTS: Final = frozenset({"num_model_requests", "num_requests", "amount"})
COUNTING: Final = frozenset({"one-key-for-each-owner"})
"""Rules that count the keys of an owner: each key's finding depends on all keys of the project."""
USABLE_IDS: Final = frozenset({"text", "ISO"})


class Place(NamedTuple):
    """One field of one record of one listing."""

    listing: str
    record: int
    field: tuple[str | int, ...]


class Mutating:
    """The sandbox, with one field of one record changed; records what each listing returned."""

    def __init__(self, app: AsgiApp) -> None:
        self.listed: dict[str, list[dict[str, Any]]] = {}
        self.mutation: tuple[Place, object] | None = None
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix("/v1/organization/")
        await self._app(scope, receive, Altered(send, lambda body: self._mutated(path, body)))

    def _mutated(self, path: str, body: bytes) -> bytes:
        parsed = json.loads(body)
        if self.mutation is None:
            self.listed.setdefault(path, []).extend(parsed.get("data", []))
            return body
        place, value = self.mutation
        if path == place.listing and place.record < len(parsed.get("data", [])):
            mutate(parsed["data"][place.record], place.field, value)
        return json.dumps(parsed).encode()


def mutate(record: dict[str, Any], path: tuple[str | int, ...], value: object) -> None:
    holder: Any = record
    for name in path[:-1]:
        holder = holder[name]
    if value is OMITTED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = deepcopy(value)


def fields(record: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    named = record.items() if isinstance(record, dict) else enumerate(record)
    for name, value in named:
        yield (*above, name)
        if isinstance(value, dict | list):
            yield from fields(value, (*above, name))


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The sandbox, its places for mutations, and the report of the scan without a mutation."""

    app: Mutating
    url: str
    folder: Path
    places: tuple[Place, ...]
    truth: Mapping[str, Any]


def scanned(url: str, folder: Path) -> tuple[int, dict[str, Any] | None]:
    """Scan in this process; return the exit code and the JSON report."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    outputs = [f"json={report}", *(f"{name}={folder / name}" for name in ("html", "csv", "sarif"))]
    arguments = ["scan", "--policy", str(folder / "every.yaml"), "--store", "none"]
    arguments += [part for output in outputs for part in ("--output", output)]
    env = environment(
        {"OPENAI_BASE_URL": url, "OPENAI_ADMIN_KEY": SANDBOX_KEY, "KEYVIGIL_DEBUG": "1"}
    )
    shown = io.StringIO()
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "argv", ["keyvigil", *arguments]),
        redirect_stdout(shown),
        redirect_stderr(shown),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert "Traceback" not in shown.getvalue(), shown.getvalue()
    found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
    return int(ended.value.code or 0), found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("mutations")
    (folder / "every.yaml").write_text(POLICY, encoding="utf-8")
    organization = seeded_organization(seed=3, projects=2, keys_per_project=5, now=int(time.time()))
    app = Mutating(SandboxApp(organization))
    with serving(app) as url:
        code, truth = scanned(url, folder)
        assert (code, truth is not None) == (0, True)
        places = tuple(
            Place(listing, number, field)
            for listing, records in sorted(app.listed.items())
            for number, record in enumerate(records)
            for field in fields(record)
        )
        yield Bench(app=app, url=url, folder=folder, places=places, truth=truth or {})


def findings(report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    return {(row["key"]["id"], row["rule"]): row["outcome"] for row in report["findings"]}


def dependants(bench: Bench, place: Place) -> set[str]:
    """Return the keys whose findings may depend on a record."""
    records = bench.app.listed
    record = records[place.listing][place.record]
    kind = place.listing.rpartition("/")[2]
    keys = {
        key["id"]: (path, key)
        for path, listed in records.items()
        if path.endswith("api_keys")
        for key in listed
    }
    match kind:
        case "api_keys" | "admin_api_keys":
            return {record["id"]}
        case "projects":
            listing = f"projects/{record['id']}/api_keys"
            return {key_id for key_id, (path, _) in keys.items() if path == listing}
        case "users" | "service_accounts":
            return {k for k, (_, key) in keys.items() if record["id"] in json.dumps(key["owner"])}
    if place.field[0] == "results" and AMOUNTS.intersection(map(str, place.field[2:])):
        return {record["results"][place.field[1]]["api_key_id"]}
    return set(keys)  # a day, or an event, that may belong to any key


def test_an_invalid_field_affects_only_dependent_findings(bench: Bench) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(number=st.integers(0, len(bench.places) - 1), name=st.sampled_from(sorted(VALUES)))
    def holds(number: int, name: str) -> None:
        place = bench.places[number]
        bench.app.mutation = (place, OMITTED if name == OMITTED else VALUES[name])
        code, report = scanned(bench.url, bench.folder)
        assert code in {0, 1, 3}
        assert report is not None
        if place.field == ("id",):
            assert code == 3 or name in USABLE_IDS
            return
        changed = dict(findings(bench.truth).items() ^ findings(report).items())
        others = {key_id for key_id, rule in changed if rule not in COUNTING}
        others -= dependants(bench, place)
        assert not others, (place, name, changed)

    holds()
