"""Addresses: what is this machine, what hides a password, and what may be shown."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.addresses import holds_password, is_loopback, split_address, without_user
from scanner.database_address import UnfitError
from scanner.errors import UsageError
from scanner.kinds import place
from scanner.settings import find_place


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_else(host: str, *, is_one: bool) -> None:
    assert is_loopback(host) == is_one


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("history.db", "history.db"),
        ("a@b.db", "a@b.db"),
        ("postgresql://db/k", "postgresql://db/k"),
        ("postgresql://u@db/k", "postgresql://***@db/k"),
        ("postgresql://u:p@db:5432/k?password=x", "postgresql://***@db:5432/k?***"),
        ("postgresql://u:p/w@db/k", "postgresql://***@db/k"),
        ("http://u:p@proxy", "http://***@proxy"),
    ],
)
def test_an_address_is_shown_without_its_user(text: str, shown: str) -> None:
    assert without_user(text) == shown


@given(st.text(min_size=4).filter(lambda text: text not in "postgresql://***@db/k"))
def test_no_password_is_ever_shown(password: str) -> None:
    address = f"postgresql://user:{password}@db/k"
    assert without_user(address) == "postgresql://***@db/k"
    assert holds_password(address)


@pytest.mark.parametrize("text", ["https://exa mple.com", "https://[bad", "https://a:port", "ä"])
def test_what_cannot_be_asked_has_no_parts(text: str) -> None:
    assert split_address(text) == urlsplit("")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p@sWORD@h/db",
        "postgresql://u:p/sWORD@h/db",
        "postgresql://u:p?sWORD@h/db",
        "postgresql://u:p#sWORD@h/db",
        "postgresql://u:p%sWORD@h/db",
        "postgresql://u:sWORD@h:99999/db",
        "postgresql:/u:sWORD@h/db",
        "postgresql:u:sWORD@h/db",
        "postgresql//u:sWORD@h/db",
        "'postgresql://u:sWORD@h/db'",
        "mysql://u:sWORD@h/db",
        "sqlite://u:sWORD@h/db",
        "sqlite:///host=h password=sWORD",
        "jdbc:postgresql://h/db?password=sWORD",
        "u:sWORD@h/db",
        "u/sWORD@h:5432/db",
        "host=h user=u password=sWORD",
        "Server=h;Pwd = sWORD",
        "h:5432:db:u:sWORD",
        "*:*:*:u:sWORD",
        "password: sWORD",
        '{"host": "h", "password": "sWORD"}',
        "postgresql%3A%2F%2Fu%3AsWORD%40h%2Fdb",
        "postgresql://u%3AsWORD@h/db",
        "postgresql://u%3AsWORD%40h/db",
        "postgresql://h/db:sWORD",
        "postgresql://u:x%00sWORD@h/db",
        "postgresql://u@h/db?sWORD",
        "postgresql://u@h/db?pass%77ord=sWORD",
        "u:sWORD%40h/db",
        "env:postgresql://u:sWORD@h/db",
        "file:postgresql://u:sWORD@h/db",
    ],
)
def test_what_resembles_the_address_of_a_database_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(UnfitError) as caught:
        place().read(text)
    assert "sWORD" not in str(caught.value) + caught.value.advice
    with pytest.raises(UsageError) as at_last:
        find_place("env:DB", {"DB": text})
    assert "sWORD" not in str(at_last.value) + str(at_last.value.help)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://h/db",
        "postgres://u:p%40%2F:p@[::1]:5432/db?sslmode=require",
        "postgresql+psycopg://u:@/db?host=/var/run/postgresql",
        "postgresql://u@%2Fvar%2Frun%2Fpostgresql/db?sslmode=require&application_name=k%20v",
        "postgresql://u%40server:p@h/db",
        "2026-11-27T12:30:45.db",
        "100%25/history.db",
        "sqlite:////srv/keyvigil/history.db",
        "history.db",
        "~/me@example.com/the history (1).db",
        "C:/keyvigil/history.db",
        "/srv/user=1/history.db",
        "none",
    ],
)
def test_files_and_valid_addresses_are_places(text: str) -> None:
    assert place().read(text).reveal() == text
