"""The report of many organizations: what it says agrees with what each one's own report says."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scanner.daemon.reports import Reports
from scanner.formats.json_report import render_json
from scanner.formats.overview import MOST
from scanner.formats.overview_html import render_overview_html
from scanner.formats.overview_json import overview_schema, render_overview_json
from scanner.formats.overview_rows import FiguresRow, Overview
from scanner.formats.visit import OrganizationState, Visit
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.words import title
from tests.browser.making import with_revocation
from tests.conftest import ROOT, golden
from tests.factories import a_key, a_remembered_result, a_result, ago, an_admin_key, an_inventory
from tests.formats.overviews import HOSTILE, a_visit, an_overview, every_state, not_seen
from tests.formats.test_html_report import Outline

HERE = Path(__file__).parent
FIGURES = tuple(FiguresRow.model_fields)
ONLY_A_FAILURE = not_seen(OrganizationState.FAILED, "away", "It is away.")


def parsed(overview: Overview) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render_overview_json(overview))
    return document


def text_of(overview: Overview) -> str:
    return " ".join(" ".join(Outline(render_overview_html(overview)).texts).split())


def test_the_overview_is_what_it_always_was() -> None:
    golden(HERE / "golden" / "overview.json", render_overview_json(an_overview()))


def test_the_published_schema_is_the_schema() -> None:
    golden(ROOT / "docs" / "overview.schema.json", json.dumps(overview_schema(), indent=2) + "\n")


@pytest.mark.parametrize("visits", [every_state(), (ONLY_A_FAILURE,)])
def test_overviews_keep_the_schema(visits: tuple[Visit, ...]) -> None:
    Draft202012Validator(overview_schema()).validate(parsed(an_overview(*visits)))


def test_each_organization_has_the_figures_of_its_own_report() -> None:
    visits = every_state()
    rows = parsed(an_overview(*visits))["organizations"]
    for visit, row in zip(visits, rows, strict=True):
        if visit.result is None:
            continue
        own = json.loads(render_json(visit.result))
        figures = {name: own["totals"][name] for name in own["totals"] if name != "projects"}
        assert {name: row[name] for name in figures} == figures
        assert (row["scan_id"], row["complete"]) == (own["scan"]["id"], own["scan"]["complete"])
        states = own["history"]["states"] if own["history"] else {}
        assert (row["new"], row["resolved"]) == (states.get("new"), states.get("resolved"))


def test_the_totals_are_the_sums_and_say_of_how_many_organizations() -> None:
    document = parsed(an_overview())
    totals, rows = document["totals"], document["organizations"]
    seen = [row for row in rows if row["keys"] is not None]
    assert (totals["organizations"], totals["scanned"], totals["compared"]) == (7, 3, 1)
    for name in ("keys", "keys_violating", "excepted", "undetermined"):
        assert totals[name] == sum(row[name] for row in seen)
    for severity, count in totals["by_severity"].items():
        assert count == sum(row["by_severity"][severity] for row in seen)
    assert totals["new"] == sum(row["new"] or 0 for row in seen) > 0
    states = Counter(row["state"] for row in rows)
    assert totals["by_state"] == {state.value: states[state] for state in OrganizationState}


def test_what_was_not_seen_has_no_figure_at_all_and_a_reason() -> None:
    document = parsed(an_overview(ONLY_A_FAILURE))
    (row,) = document["organizations"]
    assert {row[name] for name in FIGURES} == {None}
    assert {document["totals"][name] for name in FIGURES} == {None}
    assert (row["reason"], row["complete"], row["scan_id"]) == ("It is away.", None, None)
    text = text_of(an_overview(ONLY_A_FAILURE))
    assert "1 organization: 1 not scanned" in text
    shown = text[text.index("Some data could not be collected") : text.index("Finished")]
    assert set(re.findall(r"\d+", shown)) == set()


def test_one_clean_organization_beside_one_not_seen_is_not_called_clean() -> None:
    clean = a_visit(a_result(an_inventory()), "clean")
    text = text_of(an_overview(clean, ONLY_A_FAILURE))
    assert "Some data could not be collected." in text
    assert "Counted in 1 of 2 organizations." in text
    assert "comply with the policy" not in text
    assert "comply with the policy: 1 key." in text_of(an_overview(clean))


def test_the_worst_are_what_is_critical_or_new_the_worst_first() -> None:
    result = a_remembered_result()
    own = json.loads(render_json(result))["findings"]
    told = {"new", "reopened", "escalated"}
    due = {
        one["fingerprint"]
        for one in own
        if one["outcome"] == "violated" and (one["state"] in told or one["severity"] == "critical")
    }
    rows = parsed(an_overview(a_visit(result), a_visit(result, "other")))["findings"]
    for name in ("Acme", "other"):
        ours = [row for row in rows if row["organization"] == name]
        assert {row["fingerprint"] for row in ours} == due
        assert ours[0]["report"] == f"{name}/report.html#f-{ours[0]['fingerprint']}"
    order = ["critical", "high", "medium", "low", "info"]
    ranks = [(order.index(row["severity"]), row["state"] not in told) for row in rows]
    assert ranks == sorted(ranks)
    titles = {finding.fingerprint: title(finding) for finding in result.findings}
    assert all(row["title"] == titles[row["fingerprint"]] for row in rows)


def first_of_its_history() -> ScanResult:
    result = a_remembered_result()
    assert result.history
    return replace(result, history=replace(result.history, nights=result.history.nights[-1:]))


@pytest.mark.parametrize("result", [a_result, first_of_its_history])
def test_of_a_first_scan_nothing_is_called_new(result: Callable[[], ScanResult]) -> None:
    overview = an_overview(a_visit(result()))
    document = parsed(overview)
    (row,) = document["organizations"]
    assert (row["new"], row["resolved"], document["totals"]["new"]) == (None, None, None)
    assert {row["severity"] for row in document["findings"]} == {"critical"}
    assert {row["state"] for row in document["findings"]} == {None}
    assert "means" in text_of(overview)


def test_only_so_many_are_listed_and_the_others_are_counted() -> None:
    keys = [an_admin_key(id=f"key_{n}", created_at=ago(days=100)) for n in range(MOST + 3)]
    overview = an_overview(a_visit(a_result(an_inventory(keys=(a_key(), *keys)))))
    assert (len(overview.findings), overview.omitted) == (MOST, 3)
    assert "and 3 more, in the reports of the organizations" in text_of(overview)


def test_reasons_are_one_line_without_secrets_and_inert() -> None:
    rows = {row.name: row for row in an_overview(*every_state(), masks=True).organizations}
    reason = rows["away"].reason or ""
    assert reason == (
        r"</td><script>alert(1)</script>\u{202e}\u{1b}[31m"
        '"; Bearer sk-*** of a***@example.com'
    )
    longest = an_overview(not_seen(OrganizationState.FAILED, "x", "y" * 1000)).organizations[0]
    assert len(longest.reason or "") == 301


def test_addresses_are_masked_as_in_the_reports_of_each() -> None:
    result = without_addresses(a_remembered_result())
    overview = an_overview(a_visit(result, "team@example.com"), masks=True)
    text = render_overview_json(overview) + render_overview_html(overview)
    assert "t***@example.com" in text
    assert not re.search(r"[a-z]{2}@example\.com", text)


def test_hostile_text_is_text_and_nothing_else() -> None:
    html, document = render_overview_html(an_overview()), render_overview_json(an_overview())
    assert "<script" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    assert r'</td><script>alert(1)</script>\u{202e}\u{1b}[31m"' in Outline(html).texts
    assert document.isascii()
    assert "\x1b" not in document
    assert any(row["name"] == HOSTILE for row in json.loads(document)["organizations"])


def test_a_link_leads_nowhere_but_beside_the_report() -> None:
    pages = (Path("out/java script:x/é#?.html"), Path("elsewhere/report.html"))
    visits = [a_visit(name=f"n{n}", page=page) for n, page in enumerate(pages)]
    links = [row.report for row in an_overview(*visits).organizations]
    assert links == ["java%20script%3Ax/%C3%A9%23%3F.html", "../elsewhere/report.html"]
    hrefs = [
        a["href"] for tag, a in Outline(render_overview_html(an_overview())).elements if tag == "a"
    ]
    assert all((href or "").startswith(("#", "recorded/", "%3C/")) for href in hrefs)


def test_the_page_needs_no_script_and_nothing_from_anywhere() -> None:
    outline = Outline(render_overview_html(an_overview()))
    for tag, attributes in outline.elements:
        assert tag not in {"script", "link", "iframe", "img", "object"}
        assert not {"src", "style"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none';"
        r" form-action 'none'",
        outline.policy(),
    )


def test_served_as_a_report_the_page_keeps_its_own_policy(tmp_path: Path) -> None:
    html = render_overview_html(an_overview())
    (tmp_path / "all.html").write_text(html)
    opened = Reports(tmp_path).open(["all.html"])
    assert opened
    with opened.content:
        assert opened.policy == f"{Outline(html).policy()}; frame-ancestors 'none'"


def test_it_says_what_to_do_next_about_each() -> None:
    text = text_of(an_overview())
    for said in (
        "away was not scanned. Set AWAY_KEY in the environment. Then scan it: keyvigil scan --only",
        "late was not scanned, because the run was stopped. Scan it: keyvigil scan --only late",
        "busy is being scanned by another process",
        "critical violations first",
        "lost : already scanned, but its figures are not available",
    ):
        assert said in text, said
    revoking = with_revocation(a_remembered_result())
    assert revoking.revocation
    due = replace(revoking, revocation=replace(revoking.revocation, acts=(), spared=()))
    assert [one.due for one in an_overview(a_visit(due), a_visit(revoking)).organizations] == [1, 0]
    assert "1 key is due for revocation" in text_of(an_overview(a_visit(due)))
    clean = a_visit(a_result(an_inventory()))
    assert "None: all organizations were scanned" in text_of(an_overview(clean))
    untold = replace(clean, reason="Slack did not answer.", help="The next scan tries again.")
    text = text_of(an_overview(untold))
    assert "with an error: Slack did not answer. The next scan tries again." in text
    assert "None: all" not in text
    unnamed = replace(ONLY_A_FAILURE, name=None)
    assert "OpenAI organization was not scanned" in text_of(an_overview(unnamed))
