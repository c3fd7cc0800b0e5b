"""What changed since the night before, in every output: the same facts, and nothing obeyed."""

import io
import json
from dataclasses import replace
from typing import Any

from rich.console import Console

from scanner.cli.summary import print_summary
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.trend import draw
from scanner.lifecycle import State
from scanner.result import ScanResult
from scanner.severity import Severity
from tests.factories import a_remembered_result, a_result, ago
from tests.formats.test_html_report import Outline
from tests.store.making import night

RESULT = a_remembered_result()


def report() -> Any:
    return json.loads(render_json(RESULT))


def of(result: ScanResult, state: State) -> set[str]:
    assert result.history
    return {standing.case.fingerprint for standing in result.history.of(state)}


def test_the_night_has_something_of_every_kind() -> None:
    for state in (State.NEW, State.UNCHANGED, State.UNVERIFIED, State.RESOLVED):
        assert of(RESULT, state), state


def test_json_says_where_each_finding_stands() -> None:
    history, findings = report()["history"], report()["findings"]
    for state in (State.NEW, State.UNCHANGED):
        told = {f["fingerprint"] for f in findings if f["state"] == state}
        assert told == of(RESULT, state)
        assert history["states"][state] == len(told)
    assert {row["fingerprint"] for row in history["resolved"]} == of(RESULT, State.RESOLVED)
    assert {row["fingerprint"] for row in history["unverified"]} == of(RESULT, State.UNVERIFIED)
    assert all(row["reason"] for row in history["unverified"])
    assert all((f["state"] is None) == (f["outcome"] != "violated") for f in findings)
    assert all((f["first_seen"] is None) == (f["state"] is None) for f in findings)
    assert [n["scan"] for n in history["scans"]][-1] == report()["scan"]["id"]
    assert history["previous"] == history["scans"][-2]["scan"]


def test_html_shows_the_changes_and_the_trend() -> None:
    html = render_html(RESULT)
    assert f"Changes since the scan of {ago(days=1):%Y-%m-%d %H:%M} UTC" in html
    assert "&lt;i&gt;gone" in html
    assert "<i>" not in html
    assert f"{len(of(RESULT, State.UNVERIFIED))} open findings of earlier scans" in html
    for fingerprint in of(RESULT, State.NEW):
        assert f'<a href="#f-{fingerprint}">' in html
        assert f'id="f-{fingerprint}"' in html
    assert "from 5 to 6 over 3 scans" in html
    assert html.count('fill="#') == 5  # a shape for each of four severities, and the words
    assert "style=" not in html


def test_the_terminal_counts_the_same() -> None:
    console = Console(file=io.StringIO(), width=160)
    print_summary(RESULT, console, shows_all=True)
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    states = report()["history"]["states"]
    assert f"{states['new']} new" in text
    assert f"{states['resolved']} resolved (" in text
    assert f": {states['unverified']} open findings (" in text


def test_without_a_history_nothing_is_said_of_one() -> None:
    html, told = render_html(a_result()), json.loads(render_json(a_result()))
    assert "Changes since" not in html
    assert "<svg" not in html
    assert told["history"] is None
    assert {finding["state"] for finding in told["findings"]} == {None}


def test_the_picture_has_a_bar_for_each_night_and_keeps_its_bounds() -> None:
    nights = [night(ago(days=days)) for days in range(40)]
    nights.append(night(ago(days=0), by_severity=dict.fromkeys(nights[0].by_severity, 0)))
    chart = draw(nights)
    assert [bar.scan for bar in chart.bars] == nights
    assert chart.bars[-1].blocks == ()
    for bar in chart.bars:
        for block in bar.blocks:
            assert 0 <= block.x <= block.x + block.width <= chart.width
            assert 0 <= block.y <= block.y + block.height <= chart.height + 0.02
    assert [shape.severity for shape in chart.shapes] == list(Severity)[1:]
    assert all(shape.path.count("z") == 40 for shape in chart.shapes)
    assert draw([]).bars == ()


def test_a_night_on_which_everything_is_new_does_not_drown_the_report() -> None:
    history = RESULT.history
    assert history
    new = history.of(State.NEW)[0]
    many = [new._replace(case=new.case._replace(fingerprint=f"f{n}")) for n in range(1234)]
    html = render_html(replace(RESULT, history=replace(history, standings=tuple(many))))
    assert html.count('<td class="status new"') == 5
    assert "and 1,229 more new" in html


def test_what_was_resolved_or_not_seen_still_explains_itself_in_the_page() -> None:
    outline = Outline(render_html(RESULT))
    data = outline.data()
    for state in (State.RESOLVED, State.UNVERIFIED):
        rows = [r for r in outline.findings() if data["statuses"][r["status"]] == state]
        assert {row["fingerprint"] for row in rows} == of(RESULT, state)
        for row in rows:
            assert data["texts"][row["text"]].startswith(f"{state} ")
