import asyncio
from collections.abc import Callable

import pytest

from scanner.openai_api.pace import Pace
from tests.support.waiting import PATIENCE


class Clock:
    """A clock that only sleep advances."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def paced(
    ceiling: int, clock: Clock | None = None, deadline: float | None = None
) -> tuple[Pace, Clock]:
    clock = clock or Clock()
    return Pace(ceiling, deadline=deadline, clock=clock, sleep=clock.sleep), clock


@pytest.mark.parametrize(
    ("ceiling", "limits"), [(64, [8, 40, 64, 64]), (17, [8, 17, 17, 17]), (3, [3, 3, 3, 3])]
)
def test_the_limit_grows_by_four_with_each_success(ceiling: int, limits: list[int]) -> None:
    pace, _ = paced(ceiling)
    seen = []
    for _ in limits:
        seen.append(pace.limit)
        for _ in range(pace.limit):
            pace.went_well()
    assert seen == limits


def test_a_burst_of_refusals_halves_the_limit_once_and_keeps_the_longest_pause() -> None:
    pace, clock = paced(32)
    for seconds in (1.0, 3.0, 2.0):
        pace.overloaded(seconds, is_rate=False)
    assert pace.limit == 4

    async def go() -> float:
        async with pace.turn():
            return clock.now

    assert 103.0 <= asyncio.run(go()) <= 103.76
    pace.overloaded(1.0, is_rate=False)
    assert pace.limit == 2


def test_the_limit_never_falls_below_one() -> None:
    pace, clock = paced(2)
    for _ in range(5):
        pace.overloaded(1.0, is_rate=False)
        clock.now += 2
    assert pace.limit == 1


def most_under_way(pace: Pace, workers: int, when: Callable[[], None] = lambda: None) -> int:
    under_way = most = 0

    async def work() -> None:
        nonlocal under_way, most
        async with pace.turn():
            under_way += 1
            most = max(most, under_way)
            when()
            for _ in range(200):  # long enough for all permitted requests to start
                await asyncio.sleep(0)
            under_way -= 1

    async def go() -> None:
        await asyncio.gather(*(work() for _ in range(workers)))

    asyncio.run(go())
    return most


def test_no_more_than_the_limit_are_under_way_and_all_get_their_turn() -> None:
    assert most_under_way(paced(5)[0], 50) == 5


def test_when_the_limit_grows_those_who_wait_go_on() -> None:
    pace, _ = paced(32)
    assert most_under_way(pace, 200, pace.went_well) == 32


def test_a_pause_holds_back_those_who_come_later() -> None:
    pace, clock = paced(8)
    started: list[float] = []
    pace.overloaded(5.0, is_rate=False)
    most_under_way(pace, 20, lambda: started.append(clock.now))
    assert min(started) >= 105.0
    assert len(started) == 20


def test_one_who_is_cancelled_while_waiting_takes_no_place() -> None:
    pace, _ = paced(1)

    async def go() -> None:
        async with pace.turn():
            waiting = [asyncio.create_task(_turn(pace)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*waiting[1:])
            await _turn(pace)

    asyncio.run(go())


def test_a_first_request_goes_before_all_waiting_ones() -> None:
    pace, _ = paced(1)
    order: list[str] = []

    async def work(name: str, *, first: bool = False) -> None:
        async with pace.turn(first=first):
            order.append(name)

    async def go() -> None:
        async with pace.turn():
            waiting = [
                asyncio.create_task(work("later")),
                asyncio.create_task(work("page 2", first=True)),
                asyncio.create_task(work("page 3", first=True)),
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)

    asyncio.run(go())
    assert order == ["page 2", "page 3", "later"]


async def _turn(pace: Pace) -> None:
    async with pace.turn():
        await asyncio.sleep(0)


def test_retries_come_from_a_budget_that_successes_fill() -> None:
    pace, _ = paced(8)
    spent = 0
    while pace.may_retry():
        spent += 1
    assert spent == 64
    for _ in range(10):
        pace.went_well()
    assert [pace.may_retry() for _ in range(6)] == [True] * 5 + [False]


def test_the_deadline_counts_from_the_start() -> None:
    pace, clock = paced(8, deadline=60)
    before = pace.is_over
    clock.now += 60
    assert (before, pace.is_over) == (False, True)
    assert not paced(8)[0].is_over


def test_end_stops_all_waits() -> None:
    pace = Pace(1)

    async def ask() -> bool:
        async with pace.turn():
            return pace.is_over

    async def go() -> list[bool]:
        pace.overloaded(3600, is_rate=True)
        resting = asyncio.create_task(pace.rest(3600))
        waiting = [asyncio.create_task(ask()) for _ in range(20)]
        await asyncio.sleep(0)  # all of them have begun
        pace.end(3600)
        async with asyncio.timeout(PATIENCE):
            await resting
            await pace.rest(3600)
            return await asyncio.gather(*waiting, ask())

    assert asyncio.run(go()) == [True] * 21


def test_end_cancels_active_requests_after_the_patience() -> None:
    pace = Pace(4)

    async def go() -> list[BaseException | None]:
        begun, answers = asyncio.Semaphore(0), [asyncio.Event() for _ in range(3)]

        async def answered(answer: asyncio.Event) -> None:
            async with pace.turn():
                begun.release()
                await answer.wait()

        async with asyncio.timeout(PATIENCE):
            under_way = [asyncio.create_task(answered(answer)) for answer in answers]
            for _ in under_way:
                await begun.acquire()
            pace.end(3600)
            answers[0].set()
            await under_way[0]  # there is time left
            pace.end(0.01)
            return await asyncio.gather(*under_way, return_exceptions=True)

    first, *others = asyncio.run(go())
    assert first is None
    assert [type(other) for other in others] == [TimeoutError, TimeoutError]
