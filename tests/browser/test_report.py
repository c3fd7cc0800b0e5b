"""The report in a real browser: readable by everyone, in light and dark, narrow and wide."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from scanner.formats.html_report import render_html
from tests.factories import a_remembered_result, a_result, an_inventory

pytestmark = pytest.mark.slow
FLAGS = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(a_remembered_result()))
    return path


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, offline=True)
    opened = context.new_page()
    opened.goto(report.as_uri())
    yield opened
    context.close()


def test_axe_finds_nothing_to_mend(page: Page) -> None:
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    results = Axe().run(page)
    assert results.response["violations"] == []
    assert results.response["passes"]


def test_dark_is_dark_and_light_is_light(page: Page) -> None:
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = sum(int(part) for part in background.strip("rgb()").split(","))
    assert (brightness < 200) is is_dark


def test_nothing_asks_for_anything_and_nothing_runs(browser: Browser, report: Path) -> None:
    opened = browser.new_page()
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    opened.goto(report.as_uri())
    assert asked == [report.as_uri()]
    assert said == []
    opened.close()


def test_on_a_narrow_screen_only_the_tables_scroll_sideways(browser: Browser, report: Path) -> None:
    opened = browser.new_page(viewport={"width": 390, "height": 800})
    opened.goto(report.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    opened.close()


def test_the_clean_report_is_readable_by_everyone_too(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "clean.html"
    path.write_text(render_html(a_result(an_inventory())))
    opened = browser.new_page()
    opened.goto(path.as_uri())
    assert Axe().run(opened).response["violations"] == []
    assert opened.get_by_text("Every key keeps the policy").is_visible()
    opened.close()
