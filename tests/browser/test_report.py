"""The report in a real browser: readable by everyone, on a screen, on paper, without its script."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from scanner.severity import Severity
from tests.browser.conftest import Open, Opened
from tests.browser.making import everything, many, with_exceptions
from tests.factories import a_remembered_result, a_result, an_inventory

pytestmark = pytest.mark.slow


def axe(opened: Opened) -> None:
    results = Axe().run(opened.page)
    assert [
        (v["id"], [n["html"] for n in v["nodes"]]) for v in results.response["violations"]
    ] == []
    assert results.response["passes"]


STATES = {
    "all": (a_remembered_result, ""),
    "everything": (everything, "#status=all&group=owner&hide="),
    "exceptions": (lambda: with_exceptions(a_result()), "#status=excepted"),
    "filtered": (a_remembered_result, "#severity=critical&q=eve"),
    "nothing fits": (a_remembered_result, "#q=nothing-of-the-kind"),
    "pages": (many, "#group=project&page=2"),
    "clean": (lambda: a_result(an_inventory()), ""),
    "no keys": (lambda: a_result(an_inventory(keys=())), ""),
    "no keys, incomplete": (
        lambda: a_result(an_inventory(keys=(), coverage=a_result().coverage)),
        "",
    ),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_to_mend(open_report: Open, state: str, scheme: str) -> None:
    result, address = STATES[state]
    opened = open_report(result(), address, color_scheme=scheme, bypass_csp=True)
    opened.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    for button in opened.page.locator("#table button.open").all()[:3]:
        button.click()
    opened.page.wait_for_function(
        "document.querySelector('.trend details:not(:has(table))') === null"
    )
    axe(opened)


@pytest.mark.parametrize("context", [{"forced_colors": "active"}, {"contrast": "more"}])
def test_high_contrast_is_readable_too(open_report: Open, context: dict[str, str]) -> None:
    axe(open_report(everything(), "", bypass_csp=True, **context))


def test_dark_is_dark_and_light_is_light(open_report: Open) -> None:
    for scheme, is_dark in (("light", False), ("dark", True)):
        opened = open_report(a_result(), color_scheme=scheme)
        colour = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in colour.strip("rgb()").split(",")) < 200) is is_dark


@pytest.mark.parametrize(("width", "height"), [(390, 800), (640, 500)])
def test_a_phone_and_200_percent_scroll_only_tables_sideways(
    open_report: Open, width: int, height: int
) -> None:
    opened = open_report(everything(), viewport={"width": width, "height": height})
    opened.page.locator("#table button.open").first.click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


PAPER = {"width": 718, "height": 1000}
"""An A4 page between its margins."""


def printed(opened: Opened, **media: Any) -> Opened:
    """Print as far as a page can see it."""
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print", **media)
    return opened


def test_print_has_the_summary_and_what_the_filter_shows_and_says_so(open_report: Open) -> None:
    opened = printed(open_report(many(), "#q=ann"))
    assert opened.rows() == 60
    assert opened.page.locator(".verdict").is_visible()
    assert not opened.page.locator("#tools").is_visible()
    assert opened.page.locator("#count").is_visible()
    assert opened.count() == "60 of 132 violations; containing “ann”"
    assert opened.page.pdf().startswith(b"%PDF")
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.rows() == 50


def test_paper_has_tables_and_a_phone_has_none(open_report: Open) -> None:
    opened = open_report(everything(), viewport=PAPER)
    heads = opened.page.locator(".findings thead, .changes thead")
    assert not any(head.is_visible() for head in heads.all())
    printed(opened)
    assert all(head.is_visible() for head in heads.all())
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]


def test_print_is_dark_on_white_whatever_the_screen_is(open_report: Open) -> None:
    opened = printed(open_report(everything(), color_scheme="dark"), color_scheme="dark")
    for name in (".verdict", ".tile dd", ".badge", ".trend figcaption"):
        colour = opened.page.locator(name).first.evaluate("one => getComputedStyle(one).color")
        assert sum(int(part) for part in colour.strip("rgb()").split(",")) < 400, name


def test_each_severity_has_a_shape_that_is_printed_too(open_report: Open) -> None:
    opened = printed(open_report(a_result()))
    shapes = opened.page.locator("fieldset .badge").evaluate_all(
        """badges => badges.map(badge => {
            const style = getComputedStyle(badge, '::before');
            const shape = `${style.clipPath} ${style.borderRadius} ${style.height}`;
            return [shape, style.printColorAdjust];
        })"""
    )
    assert len({shape for shape, _ in shapes}) == len(Severity)
    assert {adjusted for _, adjusted in shapes} == {"exact"}


def test_without_javascript_the_summary_and_the_first_findings_are_there(open_report: Open) -> None:
    result = many()
    opened = open_report(result, java_script_enabled=False)
    assert opened.page.locator("#first tbody tr").count() == len(result.violations)
    assert not opened.page.locator("#tools").is_visible()
    assert opened.page.locator(".verdict").is_visible()
    opened.page.goto(f"{opened.address}#f-{result.violations[5].fingerprint}")
    assert opened.page.locator("tr:target").is_visible()


def test_the_trend_is_a_table_too_with_and_without_a_script(open_report: Open) -> None:
    for context in ({}, {"java_script_enabled": False}):
        opened = open_report(a_remembered_result(), **context)
        opened.page.get_by_text("Show as a table").click()
        table = opened.page.get_by_role("region", name="Violations in recent scans")
        table.wait_for()
        assert table.locator("tbody tr").count() == 3


@pytest.mark.parametrize("width", [1280, 390])
def test_the_trends_figures_are_as_large_as_small_print(open_report: Open, width: int) -> None:
    opened = open_report(a_remembered_result(), viewport={"width": width, "height": 900})
    box = opened.page.locator(".trend text").last.bounding_box()
    assert box is not None
    assert 8 < box["height"] < 20


def test_an_organization_without_keys_is_not_called_clean(open_report: Open) -> None:
    opened = open_report(a_result(an_inventory(keys=())))
    assert opened.page.locator(".verdict").inner_text() == "No keys were found."
    assert opened.page.locator(".verdict.clean").count() == 0
    table = opened.page.locator("#table")
    assert table.get_by_text("No violations were found.").is_visible()
    opened.page.get_by_label("Search").fill("x")
    assert table.get_by_text("No finding matches the filters.").is_visible()


def test_nothing_but_the_page_s_own_script_may_run(open_report: Open) -> None:
    opened = open_report(a_result())
    opened.page.evaluate(
        """() => {
            const script = document.createElement('script');
            try { script.textContent = 'alert(1)'; document.body.append(script); } catch {}
            try { document.body.innerHTML = '<img src=x onerror=alert(2)>'; } catch {}
            try { document.body.setAttribute('onclick', 'alert(3)'); } catch {}
            document.body.click();
        }"""
    )
    assert opened.page.locator("img").count() == 0
    assert len(opened.said) == 3
    assert all("requires 'Trusted" in text for text in opened.said)
    opened.said.clear()
