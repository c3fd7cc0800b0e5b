"""A scan under a wrong clock: every output that people read warns of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from scanner.cli.summary import print_summary
from scanner.formats.html_report import render_html
from scanner.formats.markdown_report import render_markdown
from scanner.formats.text_report import render_text
from scanner.receipt import Revocation
from scanner.result import ScanResult
from scanner.revocation import NOTHING, Mode
from tests.factories import a_result


def outputs(result: ScanResult) -> list[str]:
    console = Console(record=True, width=1000)
    print_summary(result, console, shows_all=True)
    return [
        console.export_text(),
        render_html(result),
        render_markdown(result),
        render_text(result),
    ]


@pytest.mark.parametrize("ahead", [None, timedelta(), timedelta(minutes=5)])
def test_a_clock_that_is_right_or_unknown_is_not_mentioned(ahead: timedelta | None) -> None:
    result = replace(a_result(), clock_ahead=ahead)
    assert not result.clock_note
    assert not any("clock is" in output for output in outputs(result))


@pytest.mark.parametrize("ahead", [timedelta(days=-30), timedelta(minutes=6)])
def test_a_wrong_clock_is_mentioned_in_every_output(ahead: timedelta) -> None:
    result = replace(a_result(), clock_ahead=ahead)
    assert all("clock is" in output for output in outputs(result))


@pytest.mark.parametrize(
    ("mode", "ahead", "is_mentioned"),
    [
        (Mode.OFF, None, False),
        (Mode.PLAN, None, True),
        (Mode.ENFORCE, None, True),
        (Mode.ENFORCE, timedelta(), False),
    ],
)
def test_that_a_clock_cannot_be_verified_is_mentioned_where_keys_are_revoked(
    mode: Mode, ahead: timedelta | None, *, is_mentioned: bool
) -> None:
    revocation = Revocation(mode=mode, plan=NOTHING)
    result = replace(a_result(), clock_ahead=ahead, revocation=revocation)
    assert {"cannot be verified" in output for output in outputs(result)} == {is_mentioned}
