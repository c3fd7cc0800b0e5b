"""A long history beside a short one: opening it, and comparing a night with it; prints ratios."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.compare import compare
from scanner.finding import Judgement
from scanner.inventory import Inventory
from scanner.judge import judge
from scanner.lifecycle import Case, History, Standing, State
from scanner.policy.parse import parse_policy
from scanner.store.history import SqlStore
from tests.factories import NOW, a_key, ago, an_inventory
from tests.store.making import ACME, a_store, night

FINDINGS = 5000
CHURN = 50
"""Findings of a night that are gone on the next, and as many new ones."""
ROUNDS = 5
SHORT, LONG = 10, 400
POLICY = parse_policy(
    """
policy: bench
rules:
  - id: old
    title: T
    severity: high
    violated_when: { age: { over: 90d } }
    why: W
    fix: F
""",
    "bench.yaml",
)
RULES = POLICY.rules


def seen(number: int) -> tuple[Inventory, Judgement]:
    """What the scan of one night sees: every key too old, some of them other ones each night."""
    first = number * CHURN
    keys = tuple(
        a_key(id=f"key_{n:08}", created_at=ago(days=1000)) for n in range(first, first + FINDINGS)
    )
    inventory = an_inventory(keys=keys)
    return inventory, judge(inventory, [POLICY], NOW)


def a_history_of(nights: int, place: Path) -> str:
    """Make the history that so many nights leave behind."""
    store = a_store(str(place))
    known: dict[str, Case] = {}
    for number in range(nights):
        moment = NOW - timedelta(days=nights - number)
        standings = compare(known.values(), *seen(number), RULES, (), moment)
        happened = [s for s in standings if s.state is not State.UNCHANGED]
        with store.hold(ACME) as lease:
            store.record(lease, History(standings=tuple(happened), nights=(night(moment),)), b"")
        known = {s.case.fingerprint: s.case for s in standings if s.state is not State.RESOLVED}
    return str(place)


def one_night(place: str, inventory: Inventory, judgement: Judgement) -> tuple[Standing, ...]:
    """Open the history and compare a night with it, as a scan does."""
    store: SqlStore = a_store(place)
    store.nights(ACME, 29)
    cases = store.cases(ACME, [finding.fingerprint for finding in judgement.findings])
    return compare(cases, inventory, judgement, RULES, (), NOW)


def test_a_long_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    took = {}
    for nights in (SHORT, LONG):
        place = a_history_of(nights, tmp_path / f"{nights}.db")
        tonight = seen(nights)
        assert len(one_night(place, *tonight)) == FINDINGS + CHURN
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            one_night(place, *tonight)
            seconds.append(time.perf_counter() - start)
        took[nights] = min(seconds)
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark's result
            f"\n{FINDINGS:,} findings: opening a history of {LONG} nights and comparing takes"
            f" {took[LONG] * 1000:.0f} ms = {took[LONG] / took[SHORT]:.2f} x the"
            f" {took[SHORT] * 1000:.0f} ms with {SHORT} nights"
        )
