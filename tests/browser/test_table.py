"""The table of findings: searched, filtered, sorted, grouped, copied."""

import csv
import io
from dataclasses import replace

import pytest

from scanner.finding import ExceptionTally, ExceptionText, Outcome
from tests.browser.conftest import Open
from tests.browser.making import everything, many
from tests.factories import (
    NOW,
    a_key,
    a_project,
    a_remembered_result,
    a_result,
    ago,
    an_admin_key,
    an_inventory,
    an_owner,
    full_coverage,
)

pytestmark = pytest.mark.slow


def test_every_violation_is_shown_and_counted(open_report: Open) -> None:
    result = many()
    opened = open_report(result)
    assert opened.rows() == 50
    assert opened.count() == f"{len(result.violations)} violations"
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
    search.fill("low 2026-06-21")  # the severity, and when it was made
    assert opened.rows() == 50
    search.fill("high 2026-06-21")
    assert opened.names() == []
    search.fill("high 2026-03")
    assert opened.names() == [f"worker {n:03}" for n in (0, 10, 20)]
    search.fill("no such thing")
    assert opened.page.get_by_text("No finding matches the filters.").is_visible()


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
    again.page.get_by_role("button", name="Reset filters").click()
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
    assert opened.count() == "12 of 132 violations; severity high"
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


def test_who_has_to_act_leads_to_their_rows_whoever_is_called_alike(open_report: Open) -> None:
    owners = [an_owner(id=f"user-{n}", name="Ann", email=None) for n in (1, 2)]
    projects = (a_project(name="organization"), a_project(id="proj_2", name="api"))
    keys = (
        *(
            a_key(id=f"key_{n}", name=f"{n}", owner=owners[n % 2], expires_at=None)
            for n in range(3)
        ),
        a_key(id="key_3", name="3", owner=owners[0], project_id="proj_2", expires_at=None),
        an_admin_key(created_at=ago(days=91), name="admin"),
    )
    coverage = full_coverage("proj_1", "proj_2")
    opened = open_report(a_result(an_inventory(keys=keys, projects=projects, coverage=coverage)))
    rows = opened.page.locator(".shares tbody tr")
    assert rows.count() == 2 + 3
    for row in rows.all():
        counts = [int(text) for text in row.locator("td").all_inner_texts()]
        row.locator("a").click()
        opened.page.wait_for_function("scrollY > 0")
        assert opened.rows() == sum(counts[:-1]), opened.hash()
    opened.page.get_by_role("combobox", name="Project").fill("organization")
    assert sorted(set(opened.names())) == ["0", "1", "2", "admin"]


def test_an_exception_leads_to_what_it_lets_be_and_to_no_more(open_report: Open) -> None:
    result = a_result()
    one, *others = (f for f in result.violations if f.severity != "critical")
    text = ExceptionText(
        rules=(one.rule.id,), reason="A & B", owner="ann", ticket="", expires=NOW.date()
    )
    other = replace(text, reason="A & C")
    result = replace(
        result,
        exceptions=(ExceptionTally(exception=text, active=True, excepted=1),),
        findings=tuple(
            f._replace(outcome=Outcome.EXCEPTED, exception=text if f is one else other)
            for f in (one, *others)
        ),
    )
    opened = open_report(result)
    opened.page.get_by_role("link", name="1 finding").click()
    opened.page.locator("tbody tr[id^=f-]").first.wait_for()
    ids = opened.page.locator("#table tbody tr").evaluate_all("rows => rows.map(row => row.id)")
    assert ids == [f"f-{one.fingerprint}"]


def test_the_count_names_every_filter_and_what_is_not_shown(open_report: Open) -> None:
    address = "#severity=critical,high&rule=key-too-old&project=proj_1&owner=Ada Ito&q=red"
    opened = open_report(everything(), address)
    assert opened.count() == (
        "1 of 5 violations (9 other findings not shown); severity critical or high;"
        " rule “Key is over 90 days old”; project search; owner Ada Ito; containing “red”"
    )
    assert open_report(everything(), "#status=resolved").count() == "2 resolved findings"
    assert open_report(everything(), "#status=all").count() == "14 findings"


def test_a_rule_that_the_report_does_not_have_is_said(open_report: Open) -> None:
    opened = open_report(a_result(), "#rule=nope")
    assert opened.count() == "This report has no rule nope. All rules are shown."
    assert opened.rows() == len(a_result().violations)


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
    opened.page.get_by_label("Created", exact=True).check()
    headings = opened.page.locator("#table thead th").all_inner_texts()
    assert "Evidence" not in headings
    assert "Created" in headings
    assert "hide=evidence" in opened.hash()


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


def test_what_could_not_be_copied_is_not_said_to_be(open_report: Open) -> None:
    opened = open_report(many())
    opened.page.evaluate(
        """() => {
            navigator.clipboard.writeText = () => Promise.reject(new Error());
            document.execCommand = () => false;
        }"""
    )
    button = opened.page.get_by_role("button", name="Copy as CSV")
    button.click()
    opened.page.locator("#count", has_text="Could not copy").wait_for()
    assert button.evaluate("one => one === document.activeElement")


HOSTILE_CELLS = ("=1+1", "+1", "-1", "@x", 'a "b", c', "plain")
