import re
from html.parser import HTMLParser

from scanner.formats.html_report import render_html
from tests.factories import a_result, an_inventory


class Outline(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def page() -> Outline:
    return Outline(render_html(a_result()))


def test_every_finding_is_on_the_page_once() -> None:
    ids = [attributes.get("id") for tag, attributes in page().elements if tag == "tr"]
    assert sorted(i for i in ids if i) == sorted(f.fingerprint for f in a_result().findings)


def test_every_rule_with_violations_says_why_and_what_to_do() -> None:
    texts = page().texts
    for finding in a_result().violations:
        assert finding.rule.title in texts
        assert finding.rule.why in texts
        assert finding.rule.fix in texts


def test_names_from_strangers_are_text_and_nothing_else() -> None:
    html = render_html(a_result())
    assert "<img" not in html
    assert "</script>" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    assert '<img src=x onerror="alert(1)">' in page().texts
    assert r"\u{1b}[31mred\u{202e}\u{7f}" in page().texts


def test_the_page_needs_nothing_from_anywhere() -> None:
    for tag, attributes in page().elements:
        assert tag not in {"script", "link", "iframe", "img", "object"}
        assert not (attributes.get("href") or "#").startswith("http")
    assert "url(" not in render_html(a_result())


def test_a_gap_is_said_at_the_top_and_named_below() -> None:
    texts = page().texts
    assert "This scan is incomplete." in texts
    assert any("was answered 403: Missing scopes" in text for text in texts)


def test_a_clean_complete_scan_says_so() -> None:
    texts = Outline(render_html(a_result(an_inventory()))).texts
    assert "Every key keeps the policy: 1 key in 1 project." in texts


def test_an_incomplete_scan_without_findings_is_never_called_clean() -> None:
    inventory = an_inventory(keys=(), coverage=a_result().coverage)
    texts = Outline(render_html(a_result(inventory))).texts
    assert "No violation among what could be seen and decided." in texts
    assert not any(text.startswith("Every key keeps") for text in texts)


def test_undecided_keys_are_grouped_by_rule_with_their_reason() -> None:
    assert any("the API did not give expires_at" in text for text in page().texts)
