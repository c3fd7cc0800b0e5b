"""What `--help` of each command costs beside importing typer alone; prints ratios of CPU time."""

import resource
import subprocess
import sys
from typing import Final

import pytest

from tests.cli.commands.test_help import EVERY
from tests.cli.running import COMMAND, environment

ROUNDS: Final = 9


def cpu_time(*command: str) -> float:
    """Return the seconds of CPU that a command takes, the best of several."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(  # noqa: S603 - our own code
            command, env=environment({}), stdout=subprocess.DEVNULL, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def test_help_beside_typer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    typer = cpu_time(sys.executable, "-c", "import typer")
    ratios = {words: cpu_time(*COMMAND, *words, "--help") / typer for words in EVERY}
    with capsys.disabled():
        for words, ratio in ratios.items():
            sys.stdout.write(f"\n{' '.join(('keyvigil', *words, '--help')):40} {ratio:.2f}")
        sys.stdout.write(f"\nat most {max(ratios.values()):.2f} times importing typer\n")
