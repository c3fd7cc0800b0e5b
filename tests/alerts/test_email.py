"""Mail as Python's own reader reads it once it has arrived."""

import html.parser
import re
from dataclasses import replace

import pytest

from scanner.announcement import Sink, Topic
from tests.alerts.mail_server import Post, serving_mail
from tests.alerts.mailing import DELIVERY, REPORT, ROUTE, a_sink, parts
from tests.alerts.making import (
    HOSTILE,
    ID,
    Notes,
    a_delivery,
    a_hostile_announcement,
    an_announcement,
    no_page,
)


class Tags(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.other: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)


def test_a_mail_arrives_once_whole_and_for_everyone() -> None:
    post, notes = Post(), Notes()
    with serving_mail(post) as port:
        for _ in range(2):
            a_sink(port)(DELIVERY, notes, lambda: REPORT)
    (arrived,) = post.arrived
    mail = arrived.mail
    assert arrived.recipients == ("ada@example.com", "bob@example.com")
    assert arrived.sender == "keyvigil@example.com"
    assert {name: str(mail[name]) for name in ("Subject", "From", "To", "Date", "Message-ID")} == {
        "Subject": "[KeyVigil] Acme: 5 new, 2 resolved - incomplete scan",
        "From": "KeyVigil <keyvigil@example.com>",
        "To": "ada@example.com, bob@example.com",
        "Date": "Wed, 01 Jul 2026 03:00:00 +0000",
        "Message-ID": f"<{ID}@keyvigil>",
    }
    assert mail["Auto-Submitted"] == "auto-generated"
    text, page = parts(mail)
    for item in an_announcement().items:
        assert item.title in text
        assert item.title in Tags(page).text
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "keyvigil-20260701T030000Z-0a1b2c3d.html"
    assert attached.get_payload(decode=True) == REPORT
    assert notes.told == ["mail sending", "mail sent"]


@pytest.mark.parametrize(("attach", "report"), [(False, REPORT), (True, None)])
def test_without_a_page_or_the_wish_for_it_nothing_is_attached(
    *, attach: bool, report: bytes | None
) -> None:
    post = Post()
    with serving_mail(post) as port:
        a_sink(port, attach=attach)(DELIVERY, Notes(), lambda: report)
    assert list(post.arrived[0].mail.iter_attachments()) == []


def test_the_link_leads_to_the_scans_own_page() -> None:
    post = Post()
    with serving_mail(post) as port:
        a_sink(port, report="https://example.com/{date}/{scan_id}.html?a=1&b=2")(
            DELIVERY, Notes(), lambda: REPORT
        )
    page = "https://example.com/2026-07-01/20260701T030000Z-0a1b2c3d.html?a=1&b=2"
    text, html = parts(post.arrived[0].mail)
    assert text.endswith(f"\n\nReport: {page}\n")
    assert [dict(attributes)["href"] for tag, attributes in Tags(html).tags if tag == "a"] == [page]


def test_what_strangers_wrote_makes_no_header_and_no_element() -> None:
    post = Post()
    tame = ("x",) * len(HOSTILE)
    with serving_mail(post) as port:
        for texts in (HOSTILE, tame):
            said = a_hostile_announcement(texts)
            a_sink(port)(a_delivery(said, sink=Sink.EMAIL, target=ROUTE.to), Notes(), no_page)
    hostile, harmless = (one.mail for one in post.arrived)
    assert hostile.keys() == harmless.keys()
    assert "\n" not in hostile["Subject"]
    assert post.arrived[0].recipients == ("ada@example.com", "bob@example.com")
    text, page = parts(hostile)
    assert Tags(page).tags == Tags(parts(harmless)[1]).tags
    assert Tags(page).other == []
    for shown in (text, Tags(page).text):
        assert "</td></table><script>alert(1)</script><img src=x" in shown
        assert "\\u{202e}gnp" in shown
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028\ud800]", shown)


def test_the_html_asks_for_nothing_and_is_small_enough_to_be_shown_whole() -> None:
    said = an_announcement()
    many = tuple(
        item._replace(topic=topic, rule=f"rule-{number}")
        for topic in (Topic.NEW, Topic.REMINDER, Topic.RESOLVED)
        for number, item in enumerate(said.items * 9)
    )
    counts = dict.fromkeys((Topic.NEW, Topic.REMINDER, Topic.RESOLVED), 4_000)
    crowded = replace(said, items=many, counts=counts)
    post = Post()
    with serving_mail(post) as port:
        a_sink(port)(a_delivery(crowded, sink=Sink.EMAIL, target=ROUTE.to), Notes(), no_page)
    _, page = parts(post.arrived[0].mail)
    assert len(page.encode()) < 102_000, "where Gmail cuts a mail off"
    assert page.count("… and 3,980 more findings, in the report.") == 3
    assert "url(" not in page
    kinds = {"html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "h2", "p"}
    assert {tag for tag, _ in Tags(page).tags} == kinds | {"strong", "em", "br", "span"}
    assert not {"src", "href", "class", "id"} & {
        name for _, attributes in Tags(page).tags for name, _ in attributes
    }
