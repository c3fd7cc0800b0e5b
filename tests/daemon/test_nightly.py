"""Failed, missed and long runs of the daemon, with scripted scans."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scanner.daemon.account import Account, Fate
from scanner.daemon.children import Recorded
from scanner.daemon.events import Level
from scanner.daemon.loading import Loaded
from scanner.daemon.metrics import Metrics
from scanner.daemon.nightly import Daemon, Timekeeping
from scanner.daemon.outcome import Ended, Outcome
from scanner.errors import Problem, SettingsError
from scanner.schedule import Times
from scanner.wiring import now
from tests.daemon.driver import Every
from tests.daemon.running import samples
from tests.support.waiting import PATIENCE, until

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DONE = Ended(outcome=Outcome.DONE, code=0, account=Account(fate=Fate.RECORDED, scan_id="s"))
LOCKED = Ended(outcome=Outcome.LOCKED, code=3, account=Account(fate=Fate.LOCKED))
FAILED = Ended(outcome=Outcome.FAILED, code=3, error="no response")
SHORT = timedelta(seconds=0.3)
NIGHTLY = Every(DAY, since=now() - DAY / 2)
"""No run is due during a test."""
WEEKLY = Every(7 * DAY, since=now() - DAY / 2)
EACH_SECOND = Every(timedelta(seconds=1))


class Scans:
    """Replaces Children: each scan ends with the next scripted outcome.

    If the scans are held, each ends once a test releases it.
    """

    def __init__(self, ends: Sequence[Ended | Exception], last: datetime | None) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.is_held = False
        self.may_end = threading.Semaphore(0)
        self.is_stopped = threading.Event()
        self._ends = list(ends)
        self.nights: tuple[Recorded, ...] | None = ()
        self.problems: tuple[str, ...] | OSError | None = ()
        self.clocks_read = threading.Semaphore(0)
        if last is not None:
            self.nights = (Recorded(organization="Acme", started_at=last, complete=True),)

    def scan(
        self, arguments: Sequence[str], _environment: Mapping[str, str], timeout: timedelta
    ) -> Ended:
        assert timeout == HOUR
        self.asked.append(tuple(arguments))
        if self.is_held:
            until(lambda: self.is_stopped.is_set() or self.may_end.acquire(timeout=0.02))
        if self.is_stopped.is_set():
            return Ended(outcome=Outcome.STOPPED, code=3)
        end = self._ends.pop(0) if self._ends else DONE
        if isinstance(end, Exception):
            raise end
        return end

    def recorded(
        self, _environment: Mapping[str, str], _organizations: Sequence[str]
    ) -> tuple[Recorded, ...] | None:
        return self.nights

    def clocks(self, _environment: Mapping[str, str]) -> tuple[str, ...] | None:
        self.clocks_read.release()
        if isinstance(self.problems, Exception):
            raise self.problems
        return self.problems

    def stop(self) -> None:
        self.is_stopped.set()


@dataclass
class Settings:
    """Replaces Files."""

    loaded: Loaded
    problem: str = ""
    version: int = 0
    tidied: int = 0

    def load(self) -> Loaded:
        if self.problem:
            place = Problem(file="k.yaml", line=2, column=9, message=self.problem)
            raise SettingsError((place, replace(place, line=3)))
        return self.loaded

    def tidy(self) -> None:
        self.tidied += 1

    def state(self) -> object:
        return self.version


class Told:
    """Implements Log; keeps all events."""

    def __init__(self) -> None:
        self.events: list[tuple[Level, str, dict[str, Any]]] = []

    def __call__(self, level: Level, event: str, **fields: Any) -> None:
        self.events.append((level, event, fields))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [fields for _, event, fields in self.events if event == name]


@dataclass
class House:
    """A daemon with its replaced parts."""

    daemon: Daemon
    scans: Scans
    settings: Settings
    told: Told
    metrics: Metrics

    def count(self, name: str) -> float:
        return samples(self.metrics.render(self.daemon.next_run()))[name]

    def complaint(self) -> str | None:
        return self.daemon.health().complaint(now())


@contextmanager
def house(
    *ends: Ended | Exception,
    times: Times = NIGHTLY,
    last: timedelta | None = DAY,
    retries: Sequence[timedelta] = (SHORT, SHORT),
    grace: timedelta = DAY,
    organizations: tuple[str, ...] = (),
    **scans: Any,
) -> Iterator[House]:
    """Run a daemon whose last recorded scan is `last` before the due run."""
    before = times.last(now()) - last if last is not None else None
    made = Scans(ends, before)
    for name, value in scans.items():
        setattr(made, name, value)
    settings = Settings(
        Loaded(
            times=times,
            timeout=HOUR,
            words="every so often",
            arguments=("--verbose",),
            organizations=organizations,
        )
    )
    told, metrics = Told(), Metrics()
    keeping = Timekeeping(clock=now, grace=grace, retries=retries)
    daemon = Daemon(settings, made, metrics, told, keeping)  # type: ignore[arg-type] # stands in
    daemon.start()
    try:
        yield House(daemon, made, settings, told, metrics)
    finally:
        daemon.stop()


def test_a_missed_run_is_caught_up_immediately_and_only_once() -> None:
    with house() as it:
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        due = NIGHTLY.last(now())
        assert it.scans.asked == [("--verbose", "--unless-since", due.isoformat())]
        assert it.told.of("catching_up") == [{"due": due}]
        assert it.count("keyvigil_runs_missed_total") == 0
        assert it.daemon.next_run() == due + DAY
        assert it.settings.tidied == 1
        assert it.daemon.is_ready
    assert not it.daemon.is_ready


def test_of_several_missed_runs_the_last_is_caught_up_and_the_others_are_counted() -> None:
    with house(last=3 * DAY + HOUR) as it:
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        assert it.count("keyvigil_runs_missed_total") == 3
        assert it.told.of("runs_missed")[0]["count"] == 3


def test_a_run_due_too_long_ago_is_counted_and_not_caught_up() -> None:
    with house(last=2 * DAY, grace=timedelta()) as it:
        until(lambda: it.daemon.is_ready)
        assert it.count("keyvigil_runs_missed_total") == 2
        assert it.scans.asked == []
        assert it.complaint() is None


@pytest.mark.parametrize(
    "scans",
    [
        [("Acme", -DAY, True), ("Acme", SHORT, False)],
        [("Acme", timedelta(), False)],  # the first scan: no run can have been missed before it
        [("Acme", 2 * SHORT, False), ("Bolt", SHORT, True)],
    ],
)
def test_a_run_that_is_recorded_as_incomplete_was_not_missed(
    scans: list[tuple[str, timedelta, bool]],
) -> None:
    due = NIGHTLY.last(now())
    nights = tuple(
        Recorded(organization=name, started_at=due + after, complete=complete)
        for name, after, complete in scans
    )
    with house(nights=nights, grace=timedelta()) as it:
        until(lambda: it.daemon.is_ready)
        assert it.count("keyvigil_runs_missed_total") == 0
        assert it.told.of("runs_missed") == []
        assert it.told.of("last_run_incomplete") == [
            {"last_scan": next(night.started_at for night in nights if not night.complete)}
        ]
        assert it.scans.asked == []


def test_runs_before_an_incomplete_one_count_as_missed_for_another_organization() -> None:
    due = NIGHTLY.last(now())
    nights = (
        Recorded(organization="Acme", started_at=due + SHORT, complete=False),
        Recorded(organization="Bolt", started_at=due - DAY, complete=True),
    )
    with house(nights=nights, grace=timedelta()) as it:
        until(lambda: it.daemon.is_ready)
        assert it.told.of("runs_missed") == [{"count": 1, "last_due": due}]
        assert it.told.of("last_run_incomplete") == []


@pytest.mark.parametrize("last", [None, timedelta()])
def test_without_a_missed_run_no_run_is_caught_up(last: timedelta | None) -> None:
    with house(last=last) as it:
        until(lambda: it.daemon.is_ready)
        assert it.count("keyvigil_runs_missed_total") == 0
        assert it.scans.asked == []
        assert it.told.of("up_to_date" if last is not None else "no_history")


@pytest.mark.parametrize(("grace", "runs"), [(DAY, 1), (timedelta(), 0)])
def test_with_an_unreadable_history_the_scan_itself_checks_if_it_is_due(
    grace: timedelta, runs: int
) -> None:
    with house(nights=None, grace=grace) as it:
        until(lambda: it.daemon.is_ready and len(it.scans.asked) == runs)
        assert len(it.told.of("missed_run_unknown")) == 1 - runs
        assert it.count("keyvigil_runs_missed_total") == 0


def test_a_failed_run_is_retried_until_it_succeeds() -> None:
    with house(FAILED, FAILED) as it:
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        assert it.count("keyvigil_runs_total{failed}") == 2
        assert [fields["attempt"] for fields in it.told.of("run_started")] == [1, 2, 3]
        assert len(set(it.scans.asked)) == 1
        assert it.complaint() is None
        assert it.daemon.next_run() == NIGHTLY.after(now())


def test_a_run_without_retries_left_is_given_up_and_the_next_is_scheduled() -> None:
    with house(FAILED, FAILED, FAILED) as it:
        until(lambda: bool(it.told.of("run_given_up")))
        due = NIGHTLY.last(now())
        complaint = it.complaint() or ""
        assert f"{due:%Y-%m-%d %H:%M} UTC" in complaint
        assert " 3 (failed)" in complaint
        assert it.daemon.next_run() == due + DAY
        assert it.told.of("run_ended")[0]["error"] == "no response"


def test_a_run_recorded_by_another_process_is_done() -> None:
    def another_records(it: House) -> None:
        at = NIGHTLY.last(now())
        it.scans.nights = (Recorded(organization="Acme", started_at=at, complete=True),)

    with house(LOCKED, retries=(), is_held=True) as it:
        until(lambda: len(it.scans.asked) == 1)
        another_records(it)
        it.scans.may_end.release()
        until(lambda: it.told.of("run_ended") != [])
        assert it.told.of("run_ended")[0]["outcome"] is Outcome.SKIPPED
        assert (it.told.of("run_given_up"), it.complaint()) == ([], None)
    with house(LOCKED, retries=()) as it:
        until(lambda: it.told.of("run_given_up") != [])
        assert it.told.of("run_ended")[0]["outcome"] is Outcome.LOCKED


@pytest.mark.parametrize(
    ("organizations", "outcome"),
    [(("Acme",), Outcome.SKIPPED), (("Acme", "Never seen"), Outcome.LOCKED)],
)
def test_a_run_of_several_is_done_once_each_of_them_is_recorded(
    organizations: tuple[str, ...], outcome: Outcome
) -> None:
    with house(LOCKED, retries=(), is_held=True, organizations=organizations) as it:
        until(lambda: len(it.scans.asked) == 1)
        at = NIGHTLY.last(now())
        it.scans.nights = (Recorded(organization="Acme", started_at=at, complete=True),)
        it.scans.may_end.release()
        until(lambda: it.told.of("run_ended") != [])
        assert it.told.of("run_ended")[0]["outcome"] is outcome


def test_an_unreadable_history_after_a_locked_scan_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_given: Any) -> None:
        raise OSError("no process can be started")

    with house(LOCKED, retries=(), is_held=True) as it:
        until(lambda: len(it.scans.asked) == 1)
        monkeypatch.setattr(it.scans, "recorded", broken)
        it.scans.may_end.release()
        until(lambda: it.told.of("run_given_up") != [])
        assert it.told.of("run_ended")[0]["outcome"] is Outcome.FAILED


def test_a_run_is_not_retried_after_the_next_is_due() -> None:
    with house(FAILED, retries=[DAY]) as it:
        until(lambda: bool(it.told.of("run_given_up")))
        assert len(it.scans.asked) == 1


@pytest.mark.parametrize("is_settled", [True, False])
def test_an_incomplete_scan_is_retried_unless_the_previous_was_incomplete_too(
    *, is_settled: bool
) -> None:
    account = Account(fate=Fate.RECORDED, is_complete=False, is_settled=is_settled)
    partial = Ended(outcome=Outcome.INCOMPLETE, code=3, account=account)
    with house(partial, partial, partial) as it:
        tries = 1 if is_settled else 3
        until(lambda: it.count("keyvigil_runs_total{incomplete}") == tries)
        until(lambda: it.daemon.health().running_since is None)
        assert it.complaint() is None
        assert it.daemon.next_run() == NIGHTLY.after(now())


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.STOPPED])
def test_a_stopped_or_timed_out_run_is_not_retried(outcome: Outcome) -> None:
    with house(Ended(outcome=outcome, code=3)) as it:
        until(lambda: it.count(f"keyvigil_runs_total{{{outcome}}}") == 1)
        assert it.told.of("run_again") == []
        assert (it.complaint() is None) == (outcome is Outcome.STOPPED)


def test_an_internal_error_of_the_daemon_fails_only_one_run() -> None:
    with house(OSError("cannot fork")) as it:
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        assert it.told.of("run_ended")[0]["error"] == "OSError: cannot fork"
        assert it.count("keyvigil_runs_total{failed}") == 1


def test_a_run_due_during_another_is_skipped_and_counted_once() -> None:
    with house(times=EACH_SECOND, last=None, is_held=True) as it:
        until(lambda: len(it.told.of("run_skipped")) == 2)
        it.scans.may_end.release()
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        it.daemon.stop()
        skipped = it.told.of("run_skipped")
        assert it.count("keyvigil_runs_skipped_total") == len(skipped)
        assert all(fields["reason"] for fields in skipped)
        dues = [fields["due"] for fields in skipped]
        assert dues == sorted(set(dues))


def end_once_another_is_due(it: House, number: int) -> None:
    until(lambda: len(it.scans.asked) == number)
    skipped = len(it.told.of("run_skipped"))
    until(lambda: len(it.told.of("run_skipped")) > skipped)
    it.scans.may_end.release()


def test_a_failure_while_the_next_run_is_due_is_logged_like_any_other() -> None:
    with house(FAILED, FAILED, times=EACH_SECOND, last=None, is_held=True) as it:
        for number in (1, 2, 3):
            end_once_another_is_due(it, number)
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        assert it.count("keyvigil_runs_total{failed}") == 2
        assert len(it.told.of("run_again") + it.told.of("run_given_up")) == 2
        assert it.complaint() is None


def test_a_stop_ends_the_running_scan() -> None:
    with house(is_held=True) as it:
        until(lambda: bool(it.scans.asked))
        it.daemon.stop()
        until(lambda: it.count("keyvigil_runs_total{stopped}") == 1)
        assert it.daemon.next_run() is None


def test_a_new_schedule_is_used_and_a_failed_run_is_still_retried() -> None:
    with house(FAILED, retries=[timedelta(seconds=1)]) as it:
        until(lambda: bool(it.told.of("run_again")))
        it.settings.loaded = replace(it.settings.loaded, times=WEEKLY, words="weekly")
        it.daemon.reload("SIGHUP")
        assert it.told.of("reloaded")[0]["schedule"] == "weekly"
        until(lambda: it.count("keyvigil_runs_total{done}") == 1)
        assert it.daemon.next_run() == WEEKLY.after(now())
        assert it.complaint() is None


def test_invalid_settings_change_no_schedule_and_every_problem_is_logged() -> None:
    with house(last=None) as it:
        next_run = it.daemon.next_run()
        it.settings.problem = "no such zone"
        it.daemon.reload("SIGHUP")
        assert it.count("keyvigil_settings_reload_success") == 0
        assert it.told.of("settings_invalid") == [
            {"problem": "k.yaml:2:9: no such zone"},
            {"problem": "k.yaml:3:9: no such zone"},
        ]
        assert it.told.of("reload_failed")[0]["schedule"] == "every so often"
        assert it.daemon.next_run() == next_run
        it.settings.problem = ""
        it.daemon.reload("SIGHUP")
        assert it.count("keyvigil_settings_reload_success") == 1


def test_a_changed_file_is_reloaded_once_it_is_stable() -> None:
    with house(last=None) as it:
        for version in (1, 2, 3):
            it.settings.version = version
            it.daemon.look()
        assert it.told.of("reloaded") == []
        it.daemon.look()
        it.daemon.look()
        assert [fields["reason"] for fields in it.told.of("reloaded")] == ["a file changed"]


def test_due_times_before_the_start_do_not_count_as_missed() -> None:
    began = now()
    with house(times=EACH_SECOND, last=None) as it:
        until(lambda: it.count("keyvigil_runs_total{done}") >= 2)
        dues = [fields["due"] for fields in it.told.of("run_started")]
        assert dues == sorted(set(dues))
        assert dues[0] > began
        assert it.count("keyvigil_runs_missed_total") < (now() - began).total_seconds()


def test_a_clock_problem_is_logged_once_and_reported_until_it_is_over() -> None:
    with house(last=None, problems=("lock dates: a",)) as it:
        until(lambda: it.daemon.health().clock_problems == ("lock dates: a",))
        it.scans.problems = ("lock dates: a", "recorded scans: b")
        it.daemon.reload("SIGHUP")
        until(lambda: it.count("keyvigil_clock_problems") == 2)
        it.scans.problems = ()
        it.daemon.reload("SIGHUP")
        until(lambda: it.told.of("clocks_agree") == [{}])
        assert it.daemon.health().clock_problems == ()
        assert it.count("keyvigil_clock_problems") == 0
    assert it.told.of("clock_problem") == [
        {"problem": "lock dates: a"},
        {"problem": "recorded scans: b"},
    ]


def test_clocks_are_checked_again_after_each_run() -> None:
    with house(is_held=True) as it:
        assert it.scans.clocks_read.acquire(timeout=PATIENCE)
        it.scans.may_end.release()
        assert it.scans.clocks_read.acquire(timeout=PATIENCE)


def test_clocks_that_cannot_be_checked_are_unknown_and_checked_again() -> None:
    with house(last=None, problems=OSError("no process")) as it:
        until(lambda: len(it.told.of("clocks_unchecked")) == 1)
        assert it.daemon.health().clock_problems is None
        it.scans.problems = ()
        it.daemon.reload("SIGHUP")
        until(lambda: it.daemon.health().clock_problems == ())
