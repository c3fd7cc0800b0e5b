"""The reports as `keyvigil serve` shows them: they work in a browser, and nothing is complained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from scanner.daemon.http import serving
from scanner.daemon.reports import Reports
from scanner.formats.html_report import render_html
from tests.daemon.test_http import TOKEN, pages, silent
from tests.factories import a_remembered_result

pytestmark = pytest.mark.slow


@pytest.fixture
def said() -> list[str]:
    """What the browser had to say."""
    return []


@pytest.fixture
def page(browser: Browser, tmp_path: Path, said: list[str]) -> Iterator[Page]:
    (tmp_path / "report.html").write_text(render_html(a_remembered_result()))
    (tmp_path / "other.html").write_text("<script>document.title = 'obeyed'</script><p>Other")
    with serving(pages(reports=Reports(tmp_path)), "127.0.0.1", 0, silent) as where:
        address = f"http://{where[0]}:{where[1]}"
        credentials: Any = {"username": "ada", "password": TOKEN}
        context = browser.new_context(base_url=address, http_credentials=credentials)
        opened = context.new_page()
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        yield opened
        context.close()


def test_the_newest_report_works_under_its_own_policy(page: Page, said: list[str]) -> None:
    page.goto("/reports/")
    assert Axe().run(page).response["violations"] == []
    page.click("text=report.html")
    page.fill("input[type=search]", "nothing-of-the-kind")
    page.wait_for_function("document.querySelectorAll('#table button.open').length === 0")
    assert page.evaluate("getComputedStyle(document.body).fontFamily") != "serif"
    assert said == []


def test_a_page_that_is_none_of_ours_is_not_obeyed(page: Page, said: list[str]) -> None:
    page.goto("/reports/other.html")
    assert page.inner_text("p") == "Other"
    assert page.title() == ""
    assert said
