"""A company's organization scanned under several names, run by run, compared with the truth."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from hypothesis import event

from scanner.ports import Lease
from scanner.receipt import broken_at
from scanner.remedy import Scene
from scanner.revocation import Mode
from scanner.store.journal import acts_of
from tests.revocation.company import NAMES, Company, policy_of
from tests.revocation.disturbing import Disturbance, Disturbing
from tests.revocation.mortal import Killed, Mortal, Step
from tests.revocation.staging import WIDE, plan_of, staged
from tests.revocation.truth import (
    PROTECTED_KEYS,
    PROTECTED_OWNERS,
    PROTECTED_PROJECTS,
    Run,
    Truth,
)
from tests.store.making import a_store

Limits = tuple[int, int]
"""How many keys, and how many per cent of all keys, may be changed within 24 hours."""


class Planned(NamedTuple):
    """A scan that is recorded, and has not revoked yet."""

    scene: Scene
    lease: Lease
    run: Run


class Simulation:
    """Scans under the names of a company; `truth` collects what is wrong."""

    def __init__(self, closing: ExitStack) -> None:
        in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - faster commits
        folder = closing.enter_context(tempfile.TemporaryDirectory(dir=in_memory))
        self.company = Company()
        store = a_store(f"{folder}/history.db")
        self.stage = closing.enter_context(staged(self.company.organization, store))
        self.stage.timeout = 1.0
        self.stage.bounds = replace(
            WIDE,
            protected_keys=PROTECTED_KEYS,
            protected_projects=PROTECTED_PROJECTS,
            protected_owners=PROTECTED_OWNERS,
        )
        self.truth = Truth(self.stage)
        self.truth.watch()
        self.disturbing = Disturbing(self.stage)

    def change(self, changes: Iterable[tuple[str, int, int]]) -> None:
        for change, number, value in changes:
            self.company.change(change, number, value, int(self.truth.now))

    def limit(self, limits: Limits) -> None:
        keys, percent = limits
        self.stage.bounds = replace(self.stage.bounds, max_keys=keys, max_percent=percent)

    def quiet_days(
        self,
        names: Iterable[str],
        days: int,
        mode: Mode = Mode.ENFORCE,
        *,
        is_told: bool = True,
        stopped: str = "",
    ) -> None:
        self.stage.bounds = replace(self.stage.bounds, mode=mode)
        self.stage.told, self.stage.stopped = is_told, stopped
        for _ in range(days):
            self.stage.moment += timedelta(days=1)
            for name in names:
                self.scan(name)
        self.stage.bounds = replace(self.stage.bounds, mode=Mode.ENFORCE)
        self.stage.told, self.stage.stopped = True, ""

    def scan(  # noqa: PLR0913 - all that can happen
        self,
        name: str,
        *,
        ahead: timedelta = timedelta(),
        delivered: timedelta | None = None,
        undated: Iterable[str] = (),
        faults: Iterable[str | int] = (),
        disturbances: Iterable[Disturbance] = (),
        killed_at: int = 0,
    ) -> None:
        """Scan, record, notify and revoke.

        This machine's clock is `ahead`, and from the delivery on it is `delivered` ahead.
        """
        self.stage.ahead = ahead
        self.stage.api.undated = frozenset(undated)
        with ExitStack() as held:
            planned = self._planned(name, held, ahead if delivered is None else delivered)
            self.stage.api.faults = [*faults]
            self._disturb(planned.scene, disturbances)
            with suppress(Killed):
                list(self._acting(planned, Mortal(killed_at)))
        self.disturbing.end()

    def two_runs(
        self, names: Iterable[str], disturbance: Disturbance, pattern: Iterable[int]
    ) -> None:
        """Plan under two names before either revokes.

        Each time that the first is about to record what it will do, the second first revokes as
        many keys as the `pattern` has.
        """
        with ExitStack() as held:
            first, second = (self._planned(name, held, timedelta()) for name in names)
            self._disturb(first.scene, [disturbance])
            counts, other = iter(pattern), self._acting(second)

            def meanwhile(name: str) -> None:
                for _ in range(next(counts, 0) if name == "begin" else 0):
                    next(other, None)

            list(self._acting(first, meanwhile))
            list(other)
        self.disturbing.end()

    def end(self) -> None:
        """Scan twice under each name; then how each change ended is known."""
        self.stage.timeout = 5.0
        for name in [*NAMES] * 2:
            self.stage.moment += timedelta(hours=12)
            self.scan(name)
        self.check()
        journals = self.stage.store.journals()
        acts = [act for name, entries in journals.items() for act in acts_of(entries, name)]
        assert all(act.outcome for act in acts)
        changed = {key_id for key_id, _ in self.truth.changed}
        assert changed <= {act.intent.key_id for act in acts}
        event(f"keys changed: {min(len(changed), 6)}")

    def check(self) -> None:
        assert self.truth.wrongs == []
        for entries in self.stage.store.journals().values():
            assert broken_at(entries) is None

    def _planned(self, name: str, held: ExitStack, delivered: timedelta) -> Planned:
        """Scan, record and notify under a name."""
        stage = self.stage
        stage.name, stage.source = name, NAMES[name][0]
        stage.policies = (policy_of(name, self.company.excepted),)
        lease = held.enter_context(stage.hold())
        run = self.truth.scanned(excepted=self.company.excepted)
        scene = stage.scene()
        stage.record(scene, lease)
        stage.ahead = delivered
        stage.notify(scene.result, lease)
        return Planned(scene, lease, run)

    def _disturb(self, scene: Scene, disturbances: Iterable[Disturbance]) -> None:
        """Let the first happen now, and each of the others after a change."""
        due, left = plan_of(scene).due, [*disturbances]

        def happen() -> None:
            if not due or not left:
                return
            one = left.pop(0)
            action = due[one.number % len(due)]
            project = self.stage.organization.projects[action.project_id]
            if action.key_id in project.keys:
                event(f"disturbed: {one.what} {one.change}")
                self.disturbing.disturb(one, project, project.keys[action.key_id])

        def changed() -> None:
            self.truth.note_change()
            happen()

        self.stage.api.after_write = changed
        happen()

    def _acting(self, planned: Planned, also: Step = lambda _name: None) -> Iterator[object]:
        """Revoke a key at a time; what the API receives meanwhile is of this run."""

        def step(name: str) -> None:
            also(name)
            self.truth.run = planned.run

        return self.stage.revoking(planned.scene, planned.lease, step)
