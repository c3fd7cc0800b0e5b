"""The report of 50,000 findings: made beside json.dumps, shown by a browser; prints figures.

Once of a third as many keys without a history; once of as many keys, after thirty nights.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scanner.finding import Finding
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.garbage import look_for_garbage_less_often
from scanner.lifecycle import Case, History, Resolution, Standing, State
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.severity import Severity
from scanner.words import in_words
from tests.factories import (
    NOW,
    a_key,
    a_project,
    a_result,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)
from tests.store.making import night

FINDINGS = 50_000
PROJECTS = 500
OWNERS = 2000
ROUNDS = 3
WORDS = ("batch", "search", "eval", "prod", "staging", "notebook", "agent", "nightly", "copilot")
ACTS = {
    "search": "type('by-q', 'nightly')",
    "search for two words": "type('by-q', 'nightly person')",
    "clear the search": "type('by-q', '')",
    "sort by key": "sort('key')",
    "sort by owner": "sort('owner')",
    "sort by last use": "sort('used')",
    "the other way round": "sort('used')",
    "filter by project": "type('by-project', 'project 7')",
    "of every project again": "type('by-project', '')",
    "group by owner": "type('by-group', 'owner')",
}
ELEMENTS = "document.querySelectorAll('*').length"
HELPERS = """
    const type = (id, text) => {
        const field = document.getElementById(id);
        field.value = text;
        field.dispatchEvent(new Event('input', {bubbles: true}));
    };
    const sort = (name) => document.querySelector(`[data-sort=${name}]`).click();
"""


def a_large_result(count: int = FINDINGS // 3) -> ScanResult:
    """Keys with names, owners, projects and dates of their own, and what baseline finds."""
    random = Random(1)  # noqa: S311 - the same keys in each run
    owners = [
        an_owner(id=f"user-{n:024x}", name=f"Person {n}", email=f"person{n}@example.com")
        for n in range(OWNERS)
    ]
    projects = tuple(a_project(id=f"proj_{n:024x}", name=f"project {n}") for n in range(PROJECTS))
    keys = tuple(
        a_key(
            id=f"key_{n:016x}",
            name=f"{random.choice(WORDS)}-{random.choice(WORDS)}-{n}",
            redacted_value=f"sk-proj-{n:06x}...{random.randrange(2**20):05x}",
            owner=random.choice(owners),
            project_id=random.choice(projects).id,
            created_at=ago(days=random.randrange(1, 1000), minutes=random.randrange(1440)),
            last_used_at=random.choice([None, ago(days=random.randrange(400))]),
            expires_at=None,
        )
        for n in range(count)
    )
    coverage = full_coverage(*(project.id for project in projects))
    found = a_result(an_inventory(keys=keys, projects=projects, coverage=coverage))
    assert len(found.findings) >= FINDINGS
    return replace(found, findings=found.findings[:FINDINGS])


def a_long_history() -> ScanResult:
    """The worst finding of each of 50,000 keys, where it stands, and what was resolved."""
    random = Random(2)  # noqa: S311 - the same in each run
    found = a_large_result(FINDINGS * 11 // 10)
    of_key = {finding.key.id: finding for finding in reversed(found.findings)}
    worst = list(of_key.values())[:FINDINGS]
    rest = list(of_key.values())[FINDINGS:][:1500]
    chances = [State.NEW] * 2 + [State.ESCALATED, State.DEESCALATED] + [State.UNCHANGED] * 96
    standings = [
        Standing(state, case_of(finding), Severity.LOW if state in chances[2:4] else None)
        for finding in worst
        for state in [random.choice(chances)]
    ]
    resolved = [case_of(f)._replace(resolved_at=NOW, resolution=Resolution.FIXED) for f in rest]
    standings += [Standing(State.RESOLVED, case) for case in resolved[:500]]
    nights = tuple(
        night(ago(days=29 - n), by_severity={s: random.randrange(12_000) for s in Severity})
        for n in range(30)
    )
    history = History(standings=tuple(standings), nights=nights, closed=tuple(resolved[500:]))
    return replace(found, findings=tuple(worst), history=history)


def case_of(finding: Finding) -> Case:
    key, project = finding.key, finding.project
    assert project
    return Case(
        fingerprint=finding.fingerprint,
        rule=finding.rule.id,
        policy="baseline",
        title=finding.rule.title,
        severity=finding.severity,
        definition="",
        facts=("age",),
        key_id=key.id,
        key_name=key.name,
        redacted_value=key.redacted_value,
        project_id=project.id,
        project_name=project.name,
        owner_id=str(key.owner.id),
        owner_name=key.owner.name,
        owner_email=finding.owner_email,
        first_seen=ago(days=20),
        opened_at=ago(days=20),
        last_seen=NOW,
    )


RESULTS = {"without a history": a_large_result, "after thirty nights": a_long_history}


def best(act: Callable[[], Any]) -> float:
    """Return the shortest of some runs, in seconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return min(times)


def own_text(result: ScanResult) -> int:
    """Count the characters that are the findings' own: of their keys, and of their evidence."""
    keys = {f.key.id: f.key for f in result.findings}
    evidence = {in_words(e) for f in result.findings for e in f.evidence}
    of_keys = sum(len(k.id) + len(k.name or "") + len(k.redacted_value) for k in keys.values())
    return of_keys + sum(map(len, evidence))


def timed(page: Page, act: str) -> float:
    """Return the milliseconds that it takes, with the layout that follows."""
    took: float = page.evaluate(
        f"""() => {{
            {HELPERS}
            const started = performance.now();
            {act};
            document.body.offsetHeight;
            return performance.now() - started;
        }}"""
    )
    return took


@pytest.mark.parametrize("kind", RESULTS)
def test_making_it(kind: str, capsys: Any) -> None:
    result = RESULTS[kind]()
    look_for_garbage_less_often()  # as the command does
    findings = json.loads(render_json(result))["findings"]
    dumped = best(lambda: json.dumps(findings))
    made = best(lambda: render_html(result))
    masked = best(lambda: without_addresses(result))
    html = render_html(result)
    history = result.history and replace(result.history, standings=(), closed=())
    few = replace(result, findings=result.findings[:200], history=history)
    empty = len(render_html(few).encode())
    beyond = (len(html.encode()) - empty - own_text(result)) / len(findings)
    keys = len({finding.key.id for finding in result.findings})
    tell = [
        f"{len(findings):,} findings of {keys:,} keys {kind}, {len(html) / 1e6:.1f} MB",
        f"  made in {made:.2f} s = {made / dumped:.2f} x json.dumps ({dumped:.2f} s)",
        f"  {beyond:.0f} bytes a finding beyond its own text",
        f"  addresses masked in {masked:.2f} s",
    ]
    with capsys.disabled():
        print("", *tell, sep="\n")  # noqa: T201 - a benchmark's result


@pytest.mark.parametrize("kind", RESULTS)
def test_showing_it(kind: str, chromium: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_html(RESULTS[kind]()))
    tell = [f"50,000 findings {kind}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        for slower in (1, 4):
            shown = []
            for _ in range(ROUNDS):
                page, took = opened(browser, path, slower)
                shown.append(took)
                page.close()  # or it goes on reckoning in the same process
            tell.append(f"  CPU / {slower}: rows shown after {min(shown):.0f} ms")
        rounds: list[dict[str, float]] = []
        grouped = most = 0
        for _ in range(ROUNDS):
            page, _ = opened(browser, path)
            rounds.append({name: timed(page, act) for name, act in ACTS.items()})
            grouped = page.evaluate(ELEMENTS)
            most = elements_at_most(page)
            page.close()
        for name in ACTS:
            times = [took[name] for took in rounds]
            tell.append(f"  {name}: {min(times):.0f} ms ({max(times):.0f} at worst)")
        tell.append(f"  {grouped:,} elements, grouped by owner")
        tell.append(f"  {most:,} elements with every column and five findings open, too")
        browser.close()
    with capsys.disabled():
        print("", *tell, sep="\n")  # noqa: T201 - a benchmark's result


def elements_at_most(page: Page) -> int:
    page.evaluate("location.hash = '#hide=&status=all&group=owner'")
    page.locator("[data-sort=seen]").wait_for()
    for number in range(5):
        page.locator("#table button.open").nth(number).click()
    count: int = page.evaluate(ELEMENTS)
    return count


def opened(browser: Browser, path: Path, slower: int = 1) -> tuple[Page, float]:
    """Open the report; return the page once it has come to rest, and when its rows were there."""
    page = browser.new_page()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(path.as_uri())
    shown: float = page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => setTimeout(() =>"
        " done(performance.now()))))"
    )
    page.wait_for_timeout(1000)  # nobody types sooner
    return page, shown
