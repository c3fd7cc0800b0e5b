"""The real daemon as a process, with runs due every few seconds, or on demand.

`python -m tests.daemon.driver PERIOD TIMEOUT RETRY,RETRY OPTION...`, all in seconds. If the
environment sets DUES, runs are due at the moments in that file, which a test adds.
"""

import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scanner.cli.log_format import LOG_FORMAT, LogFormat
from scanner.cli.logs import StreamLog
from scanner.cli.serve import COMMAND, Served, private_folder, run_daemon
from scanner.daemon.access import Access
from scanner.daemon.children import Children
from scanner.daemon.loading import Files, Loaded, Options
from scanner.daemon.metrics import Metrics
from scanner.daemon.nightly import Daemon, Timekeeping
from scanner.secret import Secret
from scanner.wiring import now

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = datetime(2970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Every:
    """Implements Times: due once per period, counted from 1970, so equal in all processes."""

    period: timedelta
    since: datetime = EPOCH

    def after(self, moment: datetime) -> datetime:
        return self.last(moment) + self.period

    def last(self, moment: datetime) -> datetime:
        return moment - (moment - self.since) % self.period

    def start(self, due: datetime, share: float) -> datetime:
        assert 0 <= share <= 1
        return due


@dataclass(frozen=True)
class Listed:
    """Implements Times: due at the moments in a file, one per line."""

    path: Path

    def moments(self) -> list[datetime]:
        return [datetime.fromisoformat(line) for line in self.path.read_text().split()]

    def after(self, moment: datetime) -> datetime:
        return min((due for due in self.moments() if due > moment), default=FAR)

    def last(self, moment: datetime) -> datetime:
        return max((due for due in self.moments() if due <= moment), default=EPOCH)

    def start(self, due: datetime, share: float) -> datetime:
        assert 0 <= share <= 1
        return due


class OnDemand(Daemon):
    """A daemon that also checks whether a moment was added."""

    known = 0

    def look(self) -> None:
        super().look()
        times = self._loaded.times
        if isinstance(times, Listed) and len(moments := times.moments()) > self.known:
            self.known = len(moments)
            self._clockwork.call_at(moments[-1])


class Hurried(Files):
    """Files with other times."""

    period: timedelta
    timeout: timedelta

    def load(self) -> Loaded:
        dues = os.environ.get("DUES")
        times = Listed(Path(dues)) if dues else Every(self.period)
        return replace(super().load(), times=times, timeout=self.timeout)


def main(period: str, timeout: str, retries: str, *policies: str) -> None:
    """Run the daemon until a signal stops it."""
    keeping = Timekeeping(
        clock=now,
        grace=timedelta(seconds=float(period)),
        retries=[timedelta(seconds=float(retry)) for retry in retries.split(",") if retry],
    )
    log = StreamLog(LogFormat.JSON)
    textfile = Path(os.environ["TEXTFILE"]) if "TEXTFILE" in os.environ else None
    options = Options(
        config=None,
        policies=policies,
        textfile=textfile,
        rest=tuple(f"--policy={policy}" for policy in policies),
    )
    with private_folder() as folder:
        loading = Hurried(options, os.environ, folder)
        loading.period = timedelta(seconds=float(period))
        loading.timeout = timedelta(seconds=float(timeout))
        metrics = Metrics()
        if "DUES" in os.environ:
            OnDemand.known = len(Listed(Path(os.environ["DUES"])).moments())
        children = Children(COMMAND, {**os.environ, LOG_FORMAT: LogFormat.JSON}, folder, log)
        daemon = OnDemand(loading, children, metrics, log, keeping)
        run_daemon(
            daemon,
            Served(address=("127.0.0.1", 0), metrics=metrics, access=Access(Secret(""))),
            log,
            look=0.2,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
