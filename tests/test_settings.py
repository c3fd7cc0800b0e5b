import pytest

from scanner.errors import CredentialError, UsageError
from scanner.secret import Secret
from scanner.settings import Settings, read_settings

KEY = "sk-admin-0123456789abcdefghijklmnop"


def test_the_key_alone_leads_to_openai() -> None:
    assert read_settings({"OPENAI_ADMIN_KEY": KEY}) == Settings(
        admin_key=Secret(KEY), base_url="https://api.openai.com/v1", concurrency=32, deadline=None
    )


def test_white_space_around_values_is_forgiven() -> None:
    settings = read_settings(
        {"OPENAI_ADMIN_KEY": f" {KEY}\n", "OPENAI_BASE_URL": "https://proxy.example.com/v1/ "}
    )
    assert settings.admin_key == Secret(KEY)
    assert settings.base_url == "https://proxy.example.com/v1"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "OPENAI_ADMIN_KEY is not set"),
        ("  ", "OPENAI_ADMIN_KEY is not set"),
        ("sk-proj-0123456789abcdef", r"holds a project key \(sk-proj-"),
        ("sk-svcacct-0123456789abcdef", "holds a service account's project key"),
        ("sk-0123456789abcdef", "holds a user or project key"),
        ("ghp_0123456789abcdef", "holds something else than a key of OpenAI"),
        ("sk-admin-with a blank", "holds characters that no key has"),
        ("sk-admin-ключ", "holds characters that no key has"),
    ],
)
def test_what_cannot_be_an_admin_key_is_refused_before_anything_is_sent(
    key: str | None, message: str
) -> None:
    with pytest.raises(CredentialError, match=message) as caught:
        read_settings({} if key is None else {"OPENAI_ADMIN_KEY": key})
    assert caught.value.help
    assert "0123456789" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1", "http://127.9.9.9"],
)
def test_plain_http_is_for_loopback(url: str) -> None:
    assert read_settings({"OPENAI_ADMIN_KEY": KEY, "OPENAI_BASE_URL": url}).base_url == url


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
    with pytest.raises(UsageError, match="OPENAI_BASE_URL") as caught:
        read_settings({"OPENAI_ADMIN_KEY": KEY, "OPENAI_BASE_URL": url})
    assert "secret" not in str(caught.value)


def test_a_misspelt_name_of_ours_is_refused_and_other_names_are_not_ours() -> None:
    with pytest.raises(UsageError, match="KEYVIGIL_FAILON, which is no setting") as caught:
        read_settings({"OPENAI_ADMIN_KEY": KEY, "KEYVIGIL_FAILON": "high"})
    assert caught.value.help == "Did you mean KEYVIGIL_FAIL_ON?"
    settings = read_settings({"OPENAI_ADMIN_KEY": KEY, "KEYVIGIL_SERVICE_HOST": "10.0.0.1"})
    assert settings.admin_key == Secret(KEY)
