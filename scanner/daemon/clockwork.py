"""APScheduler with one job that never runs twice in parallel."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from scanner.schedule import Times

_JOB: Final = "scan"


class _Trigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """Replaces APScheduler's cron trigger, which is wrong at clock changes; counts in UTC.

    APScheduler's trigger also requires both the day of month and the day of week to match.
    """

    def __init__(self, times: Times) -> None:
        self._times = times

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the start of the next run."""
        due = self._times.after((previous or now).astimezone(UTC))
        return self._times.start(due, random.random())  # noqa: S311 - spreads runs, not for security


class Clockwork:
    """Calls `run` at the times of a schedule, in its own thread.

    A late call is made once if it is at most `grace` late; a later one calls `missed` instead.
    If the previous call is still running, `skipped` is called instead.
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
        """Start the schedule; the first call is at the next of `times`."""
        self._scheduler.add_listener(lambda _event: self._missed(), EVENT_JOB_MISSED)
        self._scheduler.add_listener(lambda _event: self._skipped(), EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_job(self._run, _Trigger(times), id=_JOB)
        self._scheduler.start()

    def follow(self, times: Times) -> None:
        """Replace the times of the schedule."""
        self._scheduler.reschedule_job(_JOB, trigger=_Trigger(times))

    def call_at(self, moment: datetime) -> None:
        """Call `run` at `moment`, before the next scheduled time; the schedule continues."""
        self._scheduler.modify_job(_JOB, next_run_time=moment)

    def next_call(self) -> datetime | None:
        """Return the time of the next call; None if none is scheduled."""
        job = self._scheduler.get_job(_JOB)
        moment: datetime | None = job.next_run_time if job is not None else None
        return moment

    def look(self) -> None:
        """Re-read the clock: it may have been set, or the machine may have slept."""
        self._scheduler.wakeup()

    def stop(self) -> None:
        """Stop the schedule without waiting for a running call."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
