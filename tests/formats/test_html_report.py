import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

from scanner.formats.html_report import render_html
from scanner.result import ScanResult
from tests.factories import a_key, a_result, an_inventory


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

    def data(self) -> Any:
        (text,) = (text for text in self.texts if text.startswith('{"severities"'))
        return json.loads(text)

    def findings(self) -> list[dict[str, Any]]:
        """Return the findings of the data, a dictionary for each."""
        columns = self.data()["findings"]
        prints = columns.pop("fingerprints")
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for number, row in enumerate(rows):
            row["fingerprint"] = prints[32 * number : 32 * number + 32]
        return rows

    def policy(self) -> str:
        (meta,) = (a for _, a in self.elements if a.get("http-equiv") == "Content-Security-Policy")
        return meta["content"] or ""


def page(result: ScanResult | None = None) -> Outline:
    return Outline(render_html(result or a_result()))


def fingerprints(result: ScanResult) -> list[str]:
    return sorted(row["fingerprint"] for row in page(result).findings())


def test_every_finding_is_on_the_page_once() -> None:
    assert fingerprints(a_result()) == sorted(f.fingerprint for f in a_result().findings)
    ids = [attributes.get("id") for tag, attributes in page().elements if tag == "tr"]
    violated = sorted(f"f-{f.fingerprint}" for f in a_result().violations)
    assert sorted(i for i in ids if i) == violated


def test_of_many_findings_the_first_two_hundred_need_no_script() -> None:
    result = a_result(
        an_inventory(keys=[a_key(id=f"key_{n}", expires_at=None) for n in range(201)])
    )
    assert len(result.violations) == len(fingerprints(result)) == 201
    rows = [a for tag, a in page(result).elements if tag == "tr" and "id" in a]
    assert len(rows) == 200
    assert any(" 200 " in text and "of 201 violations" in text for text in page(result).texts)


def test_what_many_findings_share_is_written_once() -> None:
    data = page().data()
    for table in ("rules", "projects", "owners", "texts"):
        rows = [json.dumps(row) for row in data[table]]
        assert len(rows) == len(set(rows))
    assert len(data["keys"]["id"]) == len(set(data["keys"]["id"]))
    for names in (
        [row[0] for row in data["projects"]],
        [row[0] for row in data["owners"]],
        data["keys"]["name"],
    ):
        assert names == sorted(names, key=str.casefold)


def test_every_rule_with_violations_says_why_and_what_to_do() -> None:
    texts = page().texts
    for finding in a_result().violations:
        assert finding.rule.defect in texts
        assert finding.rule.why in texts
        assert finding.rule.fix in texts


def test_names_from_strangers_are_text_and_nothing_else() -> None:
    html = render_html(a_result())
    assert "<img" not in html
    assert html.count("</script>") == 2  # the data's and the script's own
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    assert '<img src=x onerror="alert(1)">' in page().texts
    assert r"\u{1b}[31mred\u{202e}\u{7f}" in page().texts


def test_the_page_needs_nothing_from_anywhere() -> None:
    for tag, attributes in page().elements:
        assert tag not in {"link", "iframe", "img", "object"}
        assert "src" not in attributes
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert not (attributes.get("href") or "#").startswith("http")
    assert "url(" not in render_html(a_result())


def test_only_the_page_s_own_style_and_script_are_allowed() -> None:
    html = render_html(a_result())
    policy = page().policy()
    assert policy.startswith("default-src 'none'; ")
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    for element, tag in (("style", "style"), ("script", 'script type="module"')):
        (text,) = re.findall(f"<{tag}>(.*?)</{element}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


def test_a_gap_is_said_at_the_top_and_named_below() -> None:
    texts = page().texts
    assert "This scan is incomplete." in texts
    assert any("was answered 403: Missing scopes" in text for text in texts)


def test_a_clean_complete_scan_says_so() -> None:
    outline = Outline(render_html(a_result(an_inventory())))
    assert any(text.endswith(": 1 key in 1 project.") for text in outline.texts)
    classes = [attributes.get("class") for _, attributes in outline.elements]
    assert "verdict clean" in classes


def test_an_incomplete_scan_without_findings_is_never_called_clean() -> None:
    inventory = an_inventory(keys=(), coverage=a_result().coverage)
    outline = Outline(render_html(a_result(inventory)))
    classes = [(attributes.get("class") or "").split() for _, attributes in outline.elements]
    assert ["verdict"] in classes
    assert ["verdict", "clean"] not in classes


def test_undecided_keys_are_grouped_by_rule_with_their_reason() -> None:
    assert any("the API did not give expires_at" in text for text in page().texts)
