"""Random organizations, clocks, faults and crashes: no key is ever changed wrongly.

`KEYVIGIL_TEST_EXAMPLES=500` runs as many examples. `truth.py` states what is wrong, independently
of the product; `disturbing.py` what happens between a scan and what it does.
"""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scanner.revocation import Mode
from tests.revocation.company import CHANGES, KEYS, NAMES
from tests.revocation.disturbing import DISTURBANCES, WRONG, Disturbance
from tests.revocation.simulation import Limits, Simulation
from tests.support.examples import examples, is_ordinary_run

FAULTS: Final = st.lists(
    st.sampled_from(
        ["before", "after", "silent before", "silent after", 500, -500, 404, 400, 408, 429, 403, ""]
    ),
    max_size=4,
)
LIMITS: Final = st.sampled_from([*[(50, 100)] * 4, (50, 50), *((n, 100) for n in (3, 2, 1, 5, 0))])
SKEWED: Final = st.sampled_from([0, 0, 0, 4, -4])
"""Minutes by which a clock that counts as right is ahead."""
NAME: Final = st.sampled_from([*NAMES])


class Before(NamedTuple):
    """What happens before a scan: new keys; one that only notifies, if so; hours without any."""

    keys: list[tuple[int, int]]
    is_announced: bool
    hours: int
    limits: Limits


BEFORE: Final = st.builds(
    Before,
    keys=KEYS,
    is_announced=st.sampled_from([True, True, False]),
    hours=st.sampled_from([72, 24, 48, 8, 25, 73, 1, 96]),
    limits=LIMITS,
)


class Revoking(RuleBasedStateMachine):
    """One organization, scanned under several names."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        self.simulation = Simulation(self.closing)

    @initialize(keys=KEYS)
    def make_keys(self, keys: list[tuple[int, int]]) -> None:
        self.simulation.change(("make_a_key", *numbers) for numbers in keys)

    @rule(changes=CHANGES)
    def change(self, changes: list[tuple[str, int, int]]) -> None:
        self.simulation.change(changes)

    @rule(
        names=st.sampled_from([*([name] for name in NAMES), [*NAMES], [*NAMES]]),
        days=st.integers(1, 2),
        limits=LIMITS,
        mode=st.sampled_from([*[Mode.ENFORCE] * 7, Mode.PLAN]),
        is_told=st.sampled_from([True, True, True, False]),
    )
    def quiet_days(
        self, names: list[str], days: int, limits: Limits, mode: Mode, *, is_told: bool
    ) -> None:
        self.simulation.limit(limits)
        self.simulation.quiet_days(names, days, mode, is_told=is_told)

    @rule(
        name=NAME,
        before=BEFORE,
        faults=FAULTS,
        disturbances=st.lists(DISTURBANCES, min_size=1, max_size=2),
        killed_at=st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 9, 12]),
        skew=SKEWED,
    )
    def day(  # noqa: PLR0913, PLR0917 - all that can happen
        self,
        name: str,
        before: Before,
        faults: list[Any],
        disturbances: list[Disturbance],
        killed_at: int,
        skew: int,
    ) -> None:
        self.pass_time([name], before)
        self.simulation.scan(
            name,
            faults=faults,
            disturbances=disturbances,
            killed_at=killed_at,
            ahead=timedelta(minutes=skew),
        )

    @rule(
        name=NAME,
        before=BEFORE,
        ahead=st.sampled_from([*[timedelta()] * 4, *WRONG]),
        delivered=st.sampled_from([timedelta(), timedelta(days=-1), timedelta(days=-3), *WRONG]),
        days=st.integers(1, 3),
        is_undated=st.booleans(),
    )
    def wrong_clock(  # noqa: PLR0913 - how it can be wrong
        self,
        name: str,
        before: Before,
        ahead: timedelta,
        delivered: timedelta,
        days: int,
        *,
        is_undated: bool,
    ) -> None:
        """Scan under a wrong clock, or without dates, for some days; then it is right again.

        If it is right while scanning, it can be wrong from then on, until all is delivered.
        """
        self.pass_time([name], before)
        for _ in range(days):
            undated = {"key", "else"} if is_undated and ahead in {timedelta(), WRONG[0]} else ()
            self.simulation.scan(name, ahead=ahead, delivered=ahead or delivered, undated=undated)
            self.simulation.stage.moment += timedelta(days=1)

    @rule(
        names=st.permutations([*NAMES]).map(lambda names: names[:2]),
        before=BEFORE,
        disturbance=DISTURBANCES,
        pattern=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    )
    def two_runs(
        self, names: list[str], before: Before, disturbance: Disturbance, pattern: list[int]
    ) -> None:
        self.pass_time(names, before)
        self.simulation.two_runs(names, disturbance, pattern)

    def pass_time(self, names: list[str], before: Before) -> None:
        self.make_keys(before.keys)
        self.simulation.limit(before.limits)
        if before.is_announced:
            self.simulation.quiet_days(names, 1, stopped="Stop file exists")
        self.simulation.stage.moment += timedelta(hours=before.hours)

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.simulation.check()

    def teardown(self) -> None:
        with self.closing:
            self.simulation.end()


TestRevoking = pytest.mark.slow(Revoking.TestCase)
TestRevoking.settings = settings(
    max_examples=examples(8),
    stateful_step_count=20 if is_ordinary_run() else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
