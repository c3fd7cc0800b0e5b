"""The daemon's metrics in Prometheus format, joined with the metrics files of scans.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from scanner.daemon.joining import joined, read_textfile
from scanner.daemon.outcome import Outcome

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_COUNTED: Final = tuple(one for one in Outcome if one is not Outcome.SKIPPED)
LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "keyvigil_runs_total": ("outcome",),
    "keyvigil_runs_missed_total": (),
    "keyvigil_runs_skipped_total": (),
    "keyvigil_next_run_timestamp_seconds": (),
    "keyvigil_settings_reload_success": (),
    "keyvigil_clock_problems": (),
    "keyvigil_metrics_textfile_success": (),
}
"""The names of the daemon's metrics, each with its labels."""
OWN: Final = tuple(LABELS)
_RUNS, _MISSED, _SKIPPED, _NEXT_RUN, _RELOAD, _CLOCKS, _TEXTFILE = OWN


class Metrics:
    """Counts the runs by outcome; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: Counter[Outcome] = Counter()
        self._missed = 0
        self._skipped = 0
        self._has_valid_settings = True
        self._clock_problems: int | None = None

    def ran(self, outcome: Outcome) -> None:
        """Count a run."""
        with self._lock:
            if outcome is Outcome.SKIPPED:
                self._skipped += 1
            else:
                self._runs[outcome] += 1

    def missed(self, count: int = 1) -> None:
        """Count runs that were due while the daemon was down and are not caught up."""
        with self._lock:
            self._missed += count

    def skipped(self) -> None:
        """Count a run that was due while the previous one was still running."""
        self.ran(Outcome.SKIPPED)

    def reloaded(self, *, is_valid: bool) -> None:
        """Record whether the files were valid when last read."""
        with self._lock:
            self._has_valid_settings = is_valid

    def clocks(self, problems: int | None) -> None:
        """Record the number of problems of the history's clocks and dates; None if unknown."""
        with self._lock:
            self._clock_problems = problems

    def render(self, next_run: datetime | None, textfiles: Sequence[Path] = ()) -> str:
        """Return the page, including the metrics files of scans that exist."""
        lines = (*self._own(next_run), *_joined(textfiles))
        return "".join(f"{line}\n" for line in lines)

    def _own(self, next_run: datetime | None) -> Iterator[str]:
        with self._lock:
            runs, missed, skipped = dict(self._runs), self._missed, self._skipped
            is_valid, clock_problems = self._has_valid_settings, self._clock_problems
        yield from _family(_RUNS, "counter", "Scans run by keyvigil serve, by outcome.")
        for outcome in _COUNTED:
            yield f'{_RUNS}{{outcome="{outcome}"}} {runs.get(outcome, 0)}'
        for name, kind, meaning, value in (
            (
                _MISSED,
                "counter",
                "Runs that were due while the daemon was down and were too old to catch up.",
                str(missed),
            ),
            (
                _SKIPPED,
                "counter",
                "Runs skipped: recorded already, or due while the previous run was active.",
                str(skipped),
            ),
            (
                _NEXT_RUN,
                "gauge",
                "Start of the next run, in Unix time.",
                "NaN" if next_run is None else f"{next_run.timestamp():.3f}",
            ),
            (
                _RELOAD,
                "gauge",
                "1 if the settings and policies were valid when last read.",
                str(int(is_valid)),
            ),
            (
                _CLOCKS,
                "gauge",
                "Problems of the history's clocks and dates, NaN if unknown.",
                "NaN" if clock_problems is None else str(clock_problems),
            ),
        ):
            yield from _family(name, kind, meaning)
            yield f"{name} {value}"


def _joined(files: Sequence[Path]) -> Iterator[str]:
    """Yield the metrics in the files; skip files that would invalidate the whole page."""
    if not files:
        return
    texts = [read_textfile(file) for file in files]
    whole = [text for text in texts if text is not None]
    yield from _family(_TEXTFILE, "gauge", "1 if all metrics files of scans could be read.")
    yield f"{_TEXTFILE} {int(len(whole) == len(texts))}"
    yield from joined(whole, without=OWN)


def _family(name: str, kind: str, meaning: str) -> tuple[str, str]:
    return f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"
