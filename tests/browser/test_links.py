"""Links into the report and out of it, and the way with the keyboard."""

from dataclasses import replace

import pytest

from scanner.lifecycle import State
from tests.browser.conftest import Open, Opened
from tests.browser.making import many
from tests.factories import a_key, a_remembered_result, a_result, ago, an_admin_key, an_inventory

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("state", [State.NEW, State.UNCHANGED, State.RESOLVED, State.UNVERIFIED])
def test_a_link_opens_its_finding_even_after_it_is_resolved(
    open_report: Open, state: State
) -> None:
    result = a_remembered_result()
    assert result.history
    case = result.history.of(state)[0].case
    opened = open_report(result, f"#f-{case.fingerprint}")
    detail = opened.page.locator("tr.more").inner_text()
    assert case.title in detail
    assert case.key_id in detail
    assert state.value in detail
    opened.page.wait_for_function("document.activeElement.className == 'open'")


def test_a_link_finds_what_was_resolved_some_nights_ago(open_report: Open) -> None:
    result = a_remembered_result()
    assert result.history
    gone = result.history.of(State.RESOLVED)[0].case
    rest = tuple(s for s in result.history.standings if s.case is not gone)
    later = replace(result, history=replace(result.history, standings=rest, closed=(gone,)))
    opened = open_report(later, f"#f-{gone.fingerprint}")
    assert f"resolved on {gone.resolved_at:%Y-%m-%d}" in opened.page.locator("tr.more").inner_text()


def test_links_to_what_is_undecided_or_unknown_say_so(open_report: Open) -> None:
    result = a_result()
    opened = open_report(result, f"#f-{result.undetermined[0].fingerprint}")
    assert "unknown" in opened.page.locator("tr.more").inner_text()
    opened = open_report(result, f"#f-{'0' * 32}")
    assert "is not in this report" in opened.count()
    opened.page.evaluate(f"location.hash = '#f-{result.violations[0].fingerprint}'")
    opened.page.locator("tr.more").wait_for()


def test_a_link_in_a_finding_keeps_the_view(open_report: Open) -> None:
    opened = open_report(many(), "#severity=high&group=project")
    opened.page.locator("#table button.open").nth(3).click()
    opened.page.locator("tr.more a[href^='#f-']").click()
    opened.page.wait_for_function("document.activeElement.className == 'open'")
    assert opened.hash().startswith("#f-")
    assert opened.rows() == 12
    assert opened.page.get_by_label("Group by").input_value() == "project"


def test_the_way_to_act_is_linked_and_tells_nobody_where_from(open_report: Open) -> None:
    keys = (a_key(expires_at=None), an_admin_key(created_at=ago(days=91)))
    opened = open_report(a_result(an_inventory(keys=keys)), "#sort=project")
    for button in opened.page.locator("#table button.open").all():
        button.click()
    links = opened.page.locator("tr.more a[href^='https://platform.openai.com/']")
    settings = "https://platform.openai.com/settings"
    assert {link.get_attribute("href") for link in links.all()} == {
        f"{settings}/organization/admin-keys",
        f"{settings}/organization/people",
        f"{settings}/proj_1/api-keys",
        f"{settings}/proj_1/people/members",
    }
    for link in links.all():
        assert link.get_attribute("rel") == "noreferrer noopener"


def focused(opened: Opened, what: str = "id") -> str:
    told: str = opened.page.evaluate(f"document.activeElement.{what}")
    return told


def tab_to(opened: Opened, name: str, what: str = "id") -> None:
    """Press Tab until it is there."""
    for _ in range(80):
        if focused(opened, what) == name:
            return
        opened.page.keyboard.press("Tab")
    raise AssertionError(name)


def test_the_whole_way_with_the_keyboard(open_report: Open) -> None:
    opened = open_report(many(), permissions=["clipboard-read", "clipboard-write"])
    keyboard, detail = opened.page.keyboard, opened.page.locator("tr.more")
    keyboard.press("Tab")
    assert focused(opened, "className") == "skip"
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert focused(opened) == "by-q"
    keyboard.type("key_020")
    assert opened.rows() == 2
    tab_to(opened, "open", "className")
    keyboard.press("Enter")
    assert "Replace" in detail.inner_text() or "replacement" in detail.inner_text()
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    assert detail.count() == 2
    keyboard.press("Escape")
    assert detail.count() == 1
    keyboard.press("Home")
    keyboard.press("Tab")
    assert focused(opened, "textContent") == "API keys"
    keyboard.press("Escape")
    assert detail.count() == 0
    assert focused(opened, "className") == "open"


def test_filters_columns_sorting_copying_and_pages_with_the_keyboard(open_report: Open) -> None:
    opened = open_report(many(), "#q=", permissions=["clipboard-read", "clipboard-write"])
    keyboard = opened.page.keyboard
    opened.page.get_by_label("Search").focus()
    tab_to(opened, "by-owner")
    keyboard.type("ann")
    assert opened.count() == "60 of 132 violations; owner ann"
    tab_to(opened, "low", "dataset.severity")
    keyboard.press("Space")
    assert "severity low" in opened.count()
    keyboard.press("Space")
    tab_to(opened, "SUMMARY", "tagName")
    keyboard.press("Enter")
    tab_to(opened, "created", "dataset.column")
    keyboard.press("Space")
    assert "Created" in opened.page.locator("#table thead").inner_text()
    tab_to(opened, "copy")
    keyboard.press("Enter")
    opened.page.locator("#count", has_text="Copied 60 findings").wait_for()
    tab_to(opened, "created", "dataset.sort")
    keyboard.press("Enter")
    assert focused(opened, "dataset.sort") == "created"
    assert "sort=created" in opened.hash()
    tab_to(opened, "after")
    keyboard.press("Enter")
    assert opened.rows() == 10
    assert focused(opened) == "before"
    keyboard.press("Enter")
    assert focused(opened) == "after"
