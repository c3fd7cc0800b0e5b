"""Scans, finding records and histories for tests."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from scanner.lifecycle import Case, History, Night, PolicySource, Resolution, Standing, State
from scanner.ports import Lease
from scanner.severity import Severity
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.keeping import Keeping
from scanner.store.schema import locks
from tests.factories import NOW

ACME = "Acme"


def a_store(place: str, *, lease: float = 30, **keeping: Any) -> SqlStore:
    return SqlStore(open_database(place), keeping=Keeping(**keeping), lease=lease)


def a_case(fingerprint: str = "f1", **changes: Any) -> Case:
    case = Case(
        fingerprint=fingerprint,
        rule="key-too-old",
        policy="baseline",
        title="Keys are replaced within 90 days",
        severity=Severity.HIGH,
        definition="0123456789abcdef",
        facts=("age",),
        key_id="key_1",
        key_name="a key\N{RIGHT-TO-LEFT OVERRIDE} 'quoted'",
        redacted_value="sk-proj-abcd...wxyz",
        project_id="proj_1",
        project_name=None,
        owner_id="user-1",
        owner_name="Ada Ito",
        owner_email="ada@example.com",
        first_seen=NOW,
        opened_at=NOW,
        last_seen=NOW,
    )
    return case._replace(**changes)


def night(at: datetime, number: int = 0, **changes: Any) -> Night:
    made = Night(
        scan_id=f"{at:%Y%m%dT%H%M%SZ}-{number:08x}",
        organization=ACME,
        started_at=at,
        finished_at=at + timedelta(seconds=2, microseconds=5),
        policies=("baseline", "mine"),
        complete=True,
        projects=3,
        keys=40,
        by_severity={severity: severity.rank for severity in Severity},
        excepted=1,
        undetermined=2,
        opened=3,
        resolved=4,
        unverified=5,
        remedied=3,
        remedy_time=timedelta(days=3, seconds=0.25),
        rules={"key-too-old": "0123456789abcdef"},
        sources=(PolicySource("mine", "d1", "", "./mine.yaml", "mine.yaml"),),
    )
    return replace(made, **changes)


def a_history(at: datetime, *standings: Standing, **changes: Any) -> History:
    return History(standings=standings, nights=(night(at, **changes),))


def record(
    store: SqlStore, at: datetime, standings: Iterable[Standing] = (), **changes: Any
) -> None:
    with store.hold(ACME) as lease:
        store.record(lease, a_history(at, *standings, **changes), b"seen")


def resolved(case: Case, at: datetime, how: Resolution = Resolution.KEY_DELETED) -> Standing:
    return Standing(State.RESOLVED, case._replace(resolved_at=at, resolution=how))


def take_over(place: str, organization: str = ACME) -> None:
    """Give the lock to another scan, as after an expired lease."""
    with open_database(place).writing() as connection:
        connection.execute(
            update(locks)
            .where(locks.c.organization == organization)
            .values(token=locks.c.token + 1, holder="another machine")
        )


def let_lease_run_out(place: str) -> None:
    """Expire all leases."""
    with open_database(place).writing() as connection:
        connection.execute(update(locks).values(expires_at=0))


def stale(lease: Lease) -> Lease:
    """Return the lease of the previous holder."""
    return replace(lease, token=lease.token - 1)
