"""Revocations of a scan on the terminal."""

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from scanner.cli.revocation_shown import print_revocation
from scanner.receipt import Act, Result, Revocation, Spared
from scanner.remedy import make_plan_of_revocation
from scanner.revocation import NOTHING, Mode
from tests.planning import a_policy, a_scene, an_act, old
from tests.support.prose import Prose

PLAN = make_plan_of_revocation(a_scene(old(), policy=a_policy()))


@pytest.mark.parametrize(
    ("acts", "skipped", "shown"),
    [
        ((), 0, {"due": 1}),
        ((), 1, {"skipped": 1}),
        ((an_act(Result.DONE),), 0, {"revoked": 1}),
        ((an_act(Result.FAILED), an_act(None, receipt="r2")), 0, {"failed": 2}),
        ((an_act(Result.DONE, key_id="key_2"),), 1, {"revoked": 1, "skipped": 1}),
    ],
)
def test_the_first_line_counts_every_key(
    acts: tuple[Act, ...], skipped: int, shown: dict[str, int], prose: Prose
) -> None:
    spared = tuple(Spared(action, "Key is in use") for action in PLAN.due[:skipped])
    revocation = Revocation(mode=Mode.ENFORCE, plan=PLAN, acts=acts, spared=spared)
    console = Console(file=StringIO(), width=200)
    with console.capture() as captured:
        print_revocation(revocation, console)
        print_revocation(replace(revocation, plan=NOTHING, acts=(), spared=()), console)
    first, *_, last = captured.get().splitlines()
    assert {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", first)} == shown
    assert re.findall(r"\d+", last) == []
    prose(captured.get())
