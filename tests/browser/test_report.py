"""The report in a real browser: searched, filtered, linked to, printed, readable by everyone."""

import csv
import io
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe

from scanner.lifecycle import State
from scanner.result import ScanResult
from tests.browser.conftest import Open, Opened
from tests.factories import (
    a_key,
    a_project,
    a_remembered_result,
    a_result,
    a_user,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)

pytestmark = pytest.mark.slow

OWNERS = [an_owner(id=f"user-{n}", name=name, email=None) for n, name in enumerate(("Bo", "Ann"))]


def many() -> ScanResult:
    """120 keys of two owners in two projects, each with one violation, one in ten with two."""
    keys = [
        a_key(
            id=f"key_{n:03}",
            name=f"worker {n:03}",
            owner=OWNERS[n % 2],
            project_id=f"proj_{n % 3 // 2 + 1}",
            expires_at=None,
            created_at=ago(days=100 + n if n % 10 == 0 else 10),
        )
        for n in range(120)
    ]
    projects = (a_project(name="api"), a_project(id="proj_2", name="web"))
    users = tuple(a_user(id=f"user-{n}") for n in range(len(OWNERS)))
    return a_result(
        an_inventory(
            keys=keys, projects=projects, users=users, coverage=full_coverage("proj_1", "proj_2")
        )
    )


def axe(opened: Opened) -> None:
    results = Axe().run(opened.page)
    assert [
        (v["id"], [n["html"] for n in v["nodes"]]) for v in results.response["violations"]
    ] == []
    assert results.response["passes"]


STATES = {
    "all": (a_remembered_result, ""),
    "everything": (a_remembered_result, "#status=all&group=owner&hide=severity"),
    "filtered": (a_remembered_result, "#severity=critical&q=eve"),
    "nothing fits": (a_remembered_result, "#q=nothing-of-the-kind"),
    "pages": (many, "#group=project&page=2"),
    "clean": (lambda: a_result(an_inventory()), ""),
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
    axe(opened)


@pytest.mark.parametrize("context", [{"forced_colors": "active"}, {"contrast": "more"}])
def test_high_contrast_is_readable_too(open_report: Open, context: dict[str, str]) -> None:
    axe(open_report(a_remembered_result(), "", bypass_csp=True, **context))


def test_dark_is_dark_and_light_is_light(open_report: Open) -> None:
    for scheme, is_dark in (("light", False), ("dark", True)):
        opened = open_report(a_result(), color_scheme=scheme)
        colour = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in colour.strip("rgb()").split(",")) < 200) is is_dark


@pytest.mark.parametrize(("width", "height"), [(390, 800), (640, 500)])
def test_a_phone_and_200_percent_scroll_only_tables_sideways(
    open_report: Open, width: int, height: int
) -> None:
    opened = open_report(a_remembered_result(), viewport={"width": width, "height": height})
    opened.page.locator("#table button.open").first.click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_violation_is_shown_and_counted(open_report: Open) -> None:
    result = many()
    opened = open_report(result)
    assert opened.rows() == 50
    assert opened.count() == f"{len(result.violations)} of {len(result.findings)} findings"
    opened.page.get_by_role("button", name="Next").click()
    opened.page.get_by_role("button", name="Next").click()
    assert opened.rows() == len(result.violations) - 100
    assert opened.page.get_by_role("button", name="Next").is_disabled()
    assert opened.hash() == "#page=3"


def test_search_takes_words_from_every_column(open_report: Open) -> None:
    opened = open_report(many())
    search = opened.page.get_by_label("Search")
    search.fill("ANN never web worker")
    assert opened.rows() > 0
    assert all(name.startswith("worker") for name in opened.names())
    search.fill("worker 017")
    assert opened.names() == ["worker 017"]
    search.fill("key_020")
    assert opened.names() == ["worker 020"] * 2
    search.fill("no such thing")
    assert opened.page.get_by_text("No finding fits.").is_visible()


def test_filters_go_together_and_stand_in_the_address(open_report: Open) -> None:
    result = many()
    opened = open_report(result)
    opened.page.locator("[data-severity=high]").check()
    opened.page.get_by_role("combobox", name="Owner").fill("ann")
    opened.page.get_by_role("combobox", name="Project").fill("api")
    expected = {
        f.key.name
        for f in result.violations
        if f.severity == "high" and f.key.owner.name == "Ann" and f.key.project_id == "proj_1"
    }
    assert set(opened.names()) == expected
    again = open_report(result, opened.hash())
    assert again.names() == opened.names()
    assert again.page.get_by_role("combobox", name="Owner").input_value() == "ann"
    again.page.get_by_role("button", name="Clear").click()
    assert again.count() == open_report(result).count()


def test_an_address_that_makes_no_sense_shows_everything(open_report: Open) -> None:
    result = a_remembered_result()
    expected = open_report(result).count()
    for address in (
        "#page=999",
        "#page=-5",
        "#sort=__proto__",
        "#sort=-evidence",
        "#group=constructor",
        "#hide=key,__proto__",
        "#severity=__proto__",
        "#status=nonsense",
        "#f-zz",
    ):
        assert open_report(result, address).count() == expected, address


def test_an_anchor_leaves_the_view_as_it_is_and_back_goes_back(open_report: Open) -> None:
    opened = open_report(many())
    everything = opened.count()
    opened.page.locator(".tiles a").first.click()
    opened.page.locator("#count", has_text="12 of 132").wait_for()
    opened.page.get_by_role("link", name="Coverage").click()
    assert opened.hash() == "#coverage"
    opened.page.wait_for_timeout(100)
    assert opened.count() == "12 of 132 findings"
    opened.page.go_back()
    opened.page.go_back()
    opened.page.locator("#count", has_text=everything).wait_for()


def test_a_name_that_is_one_exactly_is_not_also_all_that_contain_it(open_report: Open) -> None:
    projects = (a_project(name="api"), a_project(id="proj_2", name="api-old"))
    keys = [a_key(id=f"key_{n}", project_id=f"proj_{n}", expires_at=None) for n in (1, 2)]
    coverage = full_coverage("proj_1", "proj_2")
    result = a_result(an_inventory(keys=keys, projects=projects, coverage=coverage))
    assert open_report(result, "#project=api").rows() == 1
    assert open_report(result, "#project=ap").rows() == 2


def test_every_sortable_column_sorts_both_ways(open_report: Open) -> None:
    result = many()
    opened = open_report(result, "#hide=")
    sort = opened.page.locator("[data-sort]")
    names = [button.get_attribute("data-sort") for button in sort.all()]
    assert len(names) == 10
    for name in names[2:] + names[:2]:
        opened.page.locator(f"[data-sort={name}]").click()
        heading = opened.page.locator(f"th:has([data-sort={name}])")
        assert heading.get_attribute("aria-sort") == "ascending"
        first = opened.names()
        opened.page.locator(f"[data-sort={name}]").click()
        assert heading.get_attribute("aria-sort") == "descending"
        assert first != opened.names() or name in {"expires", "used", "status", "seen"}
    opened = open_report(result, "#sort=key")
    assert opened.names() == sorted(opened.names())
    opened = open_report(result, "#sort=-key")
    assert opened.names() == sorted(opened.names(), reverse=True)


def test_groups_keep_their_findings_together(open_report: Open) -> None:
    opened = open_report(many(), "#group=owner")
    headings = opened.page.locator("#table tr.group").all_inner_texts()
    assert [heading.split() for heading in headings] == [["Bo", "72"]]
    assert len(set(opened.names())) > 1
    opened.page.get_by_label("Group by").select_option("project")
    headings = opened.page.locator("#table tr.group").all_inner_texts()
    assert [heading.split()[0] for heading in headings] == ["api"]


def test_columns_can_be_left_out(open_report: Open) -> None:
    opened = open_report(many())
    opened.page.get_by_text("Columns", exact=True).click()
    opened.page.get_by_label("Evidence").uncheck()
    opened.page.get_by_label("Created").check()
    headings = opened.page.locator("#table thead th").all_inner_texts()
    assert "Evidence" not in headings
    assert "Created" in headings
    assert "hide=evidence" in opened.hash()


def test_the_whole_way_with_the_keyboard(open_report: Open) -> None:
    opened = open_report(many())
    keyboard = opened.page.keyboard
    keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.id") == "by-q"
    keyboard.type("key_020")
    assert opened.rows() == 2
    while opened.page.evaluate("document.activeElement.className") != "open":
        keyboard.press("Tab")
    keyboard.press("Enter")
    detail = opened.page.locator("tr.more")
    assert "Replace" in detail.inner_text() or "replacement" in detail.inner_text()
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    assert detail.count() == 2
    keyboard.press("Escape")
    assert detail.count() == 1
    keyboard.press("Home")
    keyboard.press("Escape")
    assert detail.count() == 0


@pytest.mark.parametrize("state", [State.NEW, State.PERSISTING, State.RESOLVED, State.UNVERIFIED])
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


def test_the_way_to_act_is_linked_and_tells_nobody_where_from(open_report: Open) -> None:
    opened = open_report(a_result())
    opened.page.locator("#table button.open").first.click()
    links = opened.page.locator("tr.more a[href^='https://platform.openai.com/']")
    assert links.count() == 2
    for link in links.all():
        assert link.get_attribute("rel") == "noreferrer noopener"


def test_the_view_is_copied_as_csv_that_no_spreadsheet_computes(open_report: Open) -> None:
    keys = [
        a_key(id=f"key_{n}", name=name, expires_at=None) for n, name in enumerate(HOSTILE_CELLS)
    ]
    result = a_result(an_inventory(keys=keys))
    opened = open_report(result, permissions=["clipboard-read", "clipboard-write"])
    opened.page.get_by_role("button", name="Copy as CSV").click()
    opened.page.locator("#count", has_text="Copied").wait_for()
    text = opened.page.evaluate("navigator.clipboard.readText()")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert {row["fingerprint"] for row in rows} == {f.fingerprint for f in result.violations}
    assert {row["key"].lstrip("'") for row in rows} == set(HOSTILE_CELLS)
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


HOSTILE_CELLS = ("=1+1", "+1", "-1", "@x", 'a "b", c', "plain")


def test_print_has_the_summary_and_what_the_filter_shows(open_report: Open) -> None:
    opened = open_report(many(), "#q=ann")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.rows() == 60
    assert opened.page.locator(".verdict").is_visible()
    assert not opened.page.locator("#tools").is_visible()
    assert opened.page.pdf().startswith(b"%PDF")
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.rows() == 50


def test_without_javascript_the_summary_and_the_first_findings_are_there(open_report: Open) -> None:
    result = many()
    opened = open_report(result, java_script_enabled=False)
    assert opened.page.locator("#first tbody tr").count() == len(result.violations)
    assert not opened.page.locator("#tools").is_visible()
    assert opened.page.locator(".verdict").is_visible()
    opened.page.goto(f"{opened.address}#f-{result.violations[5].fingerprint}")
    assert opened.page.locator("tr:target").is_visible()


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
