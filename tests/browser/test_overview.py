"""The report of many organizations in a real browser: readable by everyone, and inert."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser

from scanner.formats.overview_html import render_overview_html
from scanner.formats.overview_rows import Overview
from scanner.formats.visit import OrganizationState, Visit
from tests.browser.conftest import Opened
from tests.browser.test_hostile_names import attacked, hostile
from tests.browser.test_report import PAPER, axe
from tests.factories import a_remembered_result, a_result, an_inventory
from tests.formats.overviews import a_visit, an_overview, every_state, not_seen

pytestmark = pytest.mark.slow
FAILED = OrganizationState.FAILED
STATES: dict[str, Callable[[], tuple[Visit, ...]]] = {
    "everything": every_state,
    "clean": lambda: (a_visit(a_result(an_inventory())),),
    "no keys": lambda: (a_visit(a_result(an_inventory(keys=()))),),
    "nothing": lambda: (not_seen(FAILED, "away", "It is away."),),
    "half": lambda: (a_visit(a_result(an_inventory())), not_seen(FAILED, "away", "Away.")),
}
Show = Callable[..., Opened]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Open an overview; on leaving, nothing was asked for and nothing was complained."""
    opened: list[Opened] = []

    def show_(overview: Overview, **context: Any) -> Opened:
        path = tmp_path / f"all{len(opened)}.html"
        path.write_text(render_overview_html(overview))
        page = browser.new_context(offline=True, **context).new_page()
        one = Opened(page=page, address=path.as_uri())
        page.on("request", lambda request: one.asked.append(request.url))
        page.on("console", lambda message: one.said.append(message.text))
        page.on("pageerror", lambda error: one.said.append(str(error)))
        page.on("dialog", lambda dialog: one.said.append(dialog.message))
        page.goto(one.address)
        opened.append(one)
        return one

    yield show_
    for one in opened:
        one.page.context.close()
        assert one.asked == [one.address]
        assert one.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_to_mend(show: Show, state: str, scheme: str) -> None:
    axe(show(an_overview(*STATES[state]()), color_scheme=scheme, bypass_csp=True))


@pytest.mark.parametrize("width", [400, 640, 1280])
def test_the_page_itself_never_scrolls_sideways(show: Show, width: int) -> None:
    long = a_visit(a_remembered_result(), "x" * 300, reason="y" * 300)
    opened = show(an_overview(*every_state(), long), viewport={"width": width, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_printed_page_has_the_whole_tables(show: Show) -> None:
    opened = show(an_overview(), viewport=PAPER)
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".organizations thead").is_visible()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]


def test_the_style_holds_under_its_own_policy(show: Show) -> None:
    opened = show(an_overview())
    colour = "getComputedStyle(document.querySelector('.trust strong')).color"
    assert opened.page.evaluate(colour) == "rgb(179, 71, 11)"


def test_links_lead_to_the_report_of_each_and_to_the_finding_in_it(show: Show) -> None:
    result = a_remembered_result()
    opened = show(an_overview(a_visit(result)))
    link = opened.page.get_by_role("link", name="Acme", exact=True)
    assert link.get_attribute("href") == "Acme/report.html"
    first = opened.page.locator("section[aria-labelledby=worst] tbody a").first
    fingerprint = (first.get_attribute("href") or "").partition("#f-")[2]
    assert fingerprint in {finding.fingerprint for finding in result.violations}


@pytest.mark.parametrize("seed", range(8))
def test_hostile_text_adds_no_element_and_does_nothing(show: Show, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same strings in each run
    tame = a_result()
    findings = [attacked(one, number, random) for number, one in enumerate(tame.findings)]
    page = Path("out") / hostile(random).replace("\0", "").replace("\ud800", "") / "report.html"

    def elements(overview: Overview) -> int:
        opened = show(overview)
        assert opened.page.locator("script, img, svg, base, h1 h1").count() == 0
        count: int = opened.page.evaluate("document.querySelectorAll('*').length")
        return count

    wild = replace(tame, findings=tuple(findings))
    visits = [
        a_visit(wild, hostile(random), page=page),
        not_seen(FAILED, hostile(random), hostile(random), hostile(random)),
    ]
    usual = [a_visit(tame, page=page), not_seen(FAILED, "away", "Away.", "Come.")]
    wanted, told = elements(an_overview(*usual)), elements(an_overview(*visits))
    assert told == wanted
