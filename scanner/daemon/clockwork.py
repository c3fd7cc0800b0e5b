"""APScheduler, which calls one function when it is time, and never twice at once."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from scanner.schedule import Times

_JOB: Final = "nightly"


class _Trigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """Its own cron trigger errs at clock changes and takes both days: ours counts in UTC."""

    def __init__(self, times: Times) -> None:
        self._times = times

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return when the next run starts."""
        due = self._times.after((previous or now).astimezone(UTC))
        return self._times.start(due, random.random())  # noqa: S311 - spreads, protects nothing


class Clockwork:
    """Calls `run` at the times of a schedule, in a thread of its own.

    What comes late is called once, if it is no more than `grace` late; else, and where the call
    before still runs, `missed` or `skipped` are called instead.
    """

    def __init__(
        self,
        run: Callable[[], None],
        *,
        missed: Callable[[], None],
        skipped: Callable[[], None],
        grace: timedelta,
    ) -> None:
        self._run = run
        self._missed = missed
        self._skipped = skipped
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": max(1, int(grace.total_seconds())),
            },
        )

    def start(self, times: Times) -> None:
        """Begin; the first call is at the next of the times."""
        self._scheduler.add_listener(lambda _event: self._missed(), EVENT_JOB_MISSED)
        self._scheduler.add_listener(lambda _event: self._skipped(), EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_job(self._run, _Trigger(times), id=_JOB)
        self._scheduler.start()

    def follow(self, times: Times) -> None:
        """Go by other times from now on."""
        self._scheduler.reschedule_job(_JOB, trigger=_Trigger(times))

    def call_at(self, moment: datetime) -> None:
        """Call once before the next time; the schedule goes on after it."""
        self._scheduler.modify_job(_JOB, next_run_time=moment)

    def next_call(self) -> datetime | None:
        """Return when the next call is; None if there is none any more."""
        job = self._scheduler.get_job(_JOB)
        moment: datetime | None = job.next_run_time if job is not None else None
        return moment

    def look(self) -> None:
        """Look at the clock: it may have been set, or the machine have slept."""
        self._scheduler.wakeup()

    def stop(self) -> None:
        """Call no more; a call that runs is not waited for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
