"""A daemon process for tests: its log events, its HTTP responses, its exit code."""

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.cli.running import environment
from tests.conftest import ROOT
from tests.support.waiting import PATIENCE

Event = dict[str, Any]


class Running:
    """A process that logs events as JSON on stderr."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[Event] = []
        self.other: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, event: str, count: int = 1, **fields: Any) -> Event:
        """Wait for the `count`-th event with this name and these fields."""

        def found() -> list[Event]:
            named = (one for one in self.events if one["event"] == event)
            return [one for one in named if fields.items() <= one.items()]

        with self._changed:
            came = self._changed.wait_for(lambda: len(found()) >= count, PATIENCE)
            assert came, (event, fields, self.events, self.other)
            return found()[count - 1]

    def count(self, event: str, **fields: Any) -> int:
        """Count the events so far."""
        named = [one for one in self.events if one["event"] == event]
        return sum(fields.items() <= one.items() for one in named)

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        """Request a page, with a token if given; return status and body."""
        port = self.until("listening")["port"]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{port}{path}"
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - http
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self, token: str = "") -> dict[str, float]:
        """Return the samples, parsed by Prometheus's parser."""
        status, text = self.get("/metrics", token)
        assert status == 200
        return samples(text)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.join()
        return code

    def join(self) -> None:
        """Wait until all output of the ended process is read."""
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._changed:
                    if line.startswith("{"):
                        self.events.append(json.loads(line))
                    else:
                        self.other.append(line)
                    self._changed.notify_all()


def samples(text: str) -> dict[str, float]:
    """Return every sample by name and labels."""
    return {
        sample.name + "".join(f"{{{v}}}" for v in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@contextmanager
def running(
    command: Sequence[str | Path], env: Mapping[str, str], cwd: Path | None = None
) -> Iterator[Running]:
    """Run a daemon; kill it at the end of the context if it is still running."""
    with subprocess.Popen(  # noqa: S603 - keyvigil itself
        [*map(str, command)],
        env={**environment(env), "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        run = Running(process)
        try:
            yield run
        finally:
            process.kill()
            run.join()  # before the stream is closed
    assert not [line for line in run.other if "Traceback" in line], run.other


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
