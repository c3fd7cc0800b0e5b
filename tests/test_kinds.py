"""What a setting can be, text by text."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import kinds
from scanner.kinds import Kind
from scanner.schemas import PAGE_ADDRESS, is_whole
from scanner.secret import Secret
from tests.support.prose import Prose

ADDRESS = kinds.api_address()
DAYS = kinds.duration(timedelta(days=1), timedelta(days=10))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://localhost/v1",
        "http://[::1]:1/v1",
        "http://127.9.9.9",
        "https://proxy.example.com/v1",
    ],
)
def test_the_api_is_at_https_or_on_loopback(url: str) -> None:
    assert ADDRESS.value([f" {url}/ "]) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://localhost@example.com/",
        "ftp://example.com",
        "api.openai.com/v1",
        "https://",
        "https://[bad",
        "https://example.com/v1?",
        "https://example.com/v1#",
        "https://exa\nmple.com/v1",
        "https://exa\u2603mple.com/v1",
        "https://exa mple.com/v1",
        "https://example.com:port/v1",
        "https://user:secret@example.com/v1",
        "https://example.com/v1?x=y",
    ],
)
def test_other_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ValueError, match=r"http|address") as caught:
        ADDRESS.value([url])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.whole(1, 128), "128", 128),
        (kinds.number(0.01, 10, "MINUTES"), "0.5", 0.5),
        (DAYS, "1w", timedelta(weeks=1)),
        (kinds.switch(), "on", True),
        (kinds.switch(), "0", False),
        (kinds.choice(("a", "b")), "B", "b"),
        (kinds.outputs(), "html=-", ("html=-",)),
        (kinds.policies(), "strict", ("strict",)),
        (kinds.template(), "out/{date}.json", Path("out/{date}.json")),
        (kinds.path(), "ca.pem", Path("ca.pem")),
        (kinds.place(), "postgresql://u:p@db/k", Secret("postgresql://u:p@db/k")),
        (kinds.proxy(), "http://u:p@proxy:1", Secret("http://u:p@proxy:1")),
        (kinds.prose(), "Acme", "Acme"),
    ],
)
def test_a_text_is_read(kind: Kind[Any], text: str, value: object) -> None:
    assert kind.value([text]) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.whole(1, 128), "0"),
        (kinds.whole(1, 128), "٣"),
        (kinds.number(0.01, 10, "MINUTES"), "nan"),
        (DAYS, "1h"),
        (kinds.switch(), "maybe"),
        (kinds.choice(("high", "low")), "hihg"),
        (kinds.outputs(), "html"),
        (kinds.outputs(), "htm=x"),
        (kinds.outputs(), "html={dat}"),
        (kinds.template(), "{x}"),
        (kinds.proxy(), "socks5://proxy"),
        (kinds.proxy(), "proxy:3128"),
        (kinds.policies(), " "),
        (kinds.path(), ""),
        (kinds.path(), "a\0b"),
        (kinds.outputs(), "html=a\nb"),
    ],
)
def test_an_invalid_text_is_rejected_with_a_reason(
    kind: Kind[Any], text: str, prose: Prose
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any kind raises it
        kind.value([text])
    prose(str(caught.value))


@pytest.mark.parametrize(
    ("kind", "text", "here"),
    [
        (kinds.policies(), "baseline", "baseline"),
        (kinds.policies(), "./own.yaml", "etc/own.yaml"),
        (kinds.policies(), "/own.yaml", "/own.yaml"),
        (kinds.outputs(), "html=out/a.html", "html=etc/out/a.html"),
        (kinds.outputs(), "html=-", "html=-"),
        (kinds.outputs(), "html=~/a.html", "html=~/a.html"),
        (kinds.place(), "none", "none"),
        (kinds.place(), "history.db", "etc/history.db"),
        (kinds.place(), "postgresql://db/k", "postgresql://db/k"),
        (kinds.path(), "ca.pem", "etc/ca.pem"),
    ],
)
def test_paths_in_the_file_are_from_its_folder(kind: Kind[Any], text: str, here: str) -> None:
    assert kind.beside(text, Path("etc")) == here


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.proxy(), "http://user@proxy:3128"),
        (kinds.proxy(), "http://user:pass@proxy:3128"),
        (kinds.place(), "postgresql://user:pass@db/k"),
        (kinds.place(), "postgresql://user:p@ss@db/k"),
        (kinds.place(), "postgresql://db/k?password=x"),
    ],
)
def test_a_password_must_not_stand_in_the_file(kind: Kind[Any], text: str) -> None:
    why = kind.leaks(text)
    assert "KEYVIGIL_" in why
    assert "pass@" not in why


@pytest.mark.parametrize("text", ["postgresql://user@db/k", "history.db", "a:b@c.db", "none"])
def test_a_place_without_a_password_may(text: str) -> None:
    assert kinds.place().leaks(text) == ""


@pytest.mark.parametrize(
    "kind",
    [ADDRESS, kinds.proxy(), kinds.place(), kinds.template(), kinds.prose(), kinds.choice("ab")],
)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_fits_the_pattern_of_a_kind_is_read(kind: Kind[Any], data: st.DataObject) -> None:
    text = data.draw(st.from_regex(kind.pattern, fullmatch=True))
    kind.value([text])
    assert not kind.leaks(text)


@settings(max_examples=100)
@given(st.from_regex(PAGE_ADDRESS.replace("{(?:scan_id|date)", "{date"), fullmatch=True))
def test_whatever_fits_the_pattern_of_a_page_is_an_address(text: str) -> None:
    url = urlsplit(text)
    assert url.scheme == "https"
    assert url.hostname
    assert url.port is None or url.port < 65_536
    assert is_whole(PAGE_ADDRESS, text)
