"""A headless browser, and pages opened in it that tell whatever the browser had to say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scanner.formats.html_report import render_html
from scanner.result import ScanResult

FLAGS = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]


@dataclass
class Opened:
    """A page, and all that it asked for, said or broke."""

    page: Page
    address: str
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def rows(self) -> int:
        return self.page.locator("#table tbody tr:not(.more):not(.group)").count()

    def names(self) -> list[str]:
        return self.page.locator("#table button.open").all_inner_texts()

    def count(self) -> str:
        return self.page.locator("#count").inner_text()

    def hash(self) -> str:
        told: str = self.page.evaluate("location.hash")
        return told


Open = Callable[..., Opened]


@pytest.fixture(scope="module")  # while it lives, no other event loop can run
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open the report of a result; on leaving, nothing was asked for and nothing was complained."""
    opened: list[Opened] = []

    def open_(result: ScanResult, address: str = "", **context: Any) -> Opened:
        path = tmp_path / f"report{len(opened)}.html"
        path.write_text(render_html(result))
        page = browser.new_context(offline=True, **context).new_page()
        one = Opened(page=page, address=path.as_uri())
        page.on("request", lambda request: one.asked.append(request.url))
        page.on("console", lambda message: one.said.append(message.text))
        page.on("pageerror", lambda error: one.said.append(str(error)))
        page.on("dialog", lambda dialog: one.said.append(dialog.message))
        page.goto(f"{one.address}{address}")
        opened.append(one)
        return one

    yield open_
    for one in opened:
        one.page.context.close()
        assert [url.partition("#")[0] for url in one.asked] == [one.address] * len(one.asked)
        assert one.said == []
