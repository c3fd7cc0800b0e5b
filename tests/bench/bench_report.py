"""The report of 50,000 findings: made beside json.dumps, shown by a browser; prints figures."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import Page, sync_playwright

from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.garbage import look_for_garbage_less_often
from scanner.result import ScanResult
from scanner.words import in_words
from tests.factories import a_key, a_project, a_result, ago, an_inventory, an_owner, full_coverage

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
HELPERS = """
    const type = (id, text) => {
        const field = document.getElementById(id);
        field.value = text;
        field.dispatchEvent(new Event('input', {bubbles: true}));
    };
    const sort = (name) => document.querySelector(`[data-sort=${name}]`).click();
"""


def a_large_result() -> ScanResult:
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
        for n in range(FINDINGS // 3)
    )
    coverage = full_coverage(*(project.id for project in projects))
    found = a_result(an_inventory(keys=keys, projects=projects, coverage=coverage))
    assert len(found.findings) >= FINDINGS
    return replace(found, findings=found.findings[:FINDINGS])


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


def test_making_it(capsys: Any) -> None:
    result = a_large_result()
    look_for_garbage_less_often()  # as the command does
    findings = json.loads(render_json(result))["findings"]
    dumped = best(lambda: json.dumps(findings))
    made = best(lambda: render_html(result))
    html = render_html(result)
    empty = len(render_html(replace(result, findings=result.findings[:200])).encode())
    beyond = (len(html.encode()) - empty - own_text(result)) / len(findings)
    with capsys.disabled():
        print(f"\nreport of {len(findings):,} findings, {len(html) / 1e6:.1f} MB")  # noqa: T201 - a benchmark's result
        print(f"  made in {made:.2f} s = {made / dumped:.2f} x json.dumps ({dumped:.2f} s)")  # noqa: T201 - a benchmark's result
        print(f"  {beyond:.0f} bytes a finding beyond its own text")  # noqa: T201 - a benchmark's result


def test_showing_it(chromium: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_html(a_large_result()))
    lines = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        for slower in (1, 4):
            page = browser.new_page()
            devtools = page.context.new_cdp_session(page)
            devtools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
            page.goto(path.as_uri())
            shown = page.evaluate(
                "() => new Promise(done => requestAnimationFrame(() => setTimeout(() =>"
                " done(performance.now()))))"
            )
            rows = page.locator("#table button.open").count()
            elements = page.evaluate("document.querySelectorAll('*').length")
            lines.append(f"CPU / {slower}: {rows} rows shown after {shown:.0f} ms")
            lines.append(f"  {elements:,} elements")
            if slower == 1:
                for name, act in ACTS.items():
                    first = timed(page, act)
                    lines.append(f"  {name}: {first:.0f} ms")
        browser.close()
    with capsys.disabled():
        print("", *lines, sep="\n")  # noqa: T201 - a benchmark's result
