"""Proxies of the environment: an invalid address is one error, which never shows the address."""

from pathlib import Path

import pytest

from scanner.alert_settings import read_alert_settings, read_ping_url
from scanner.errors import UsageError
from scanner.openai_api.connections import Connections, Network
from scanner.proxies import check_environment_proxies
from scanner.secret import Secret
from tests.cli.examined import examined, problems
from tests.cli.running import keyvigil

PASSWORD = "made-up-secret"
INVALID = (
    f"http://u:{PASSWORD}@127.0.0.1:99999",
    f"http://u:{PASSWORD}@127.0.0.1:0",
    f"u:{PASSWORD}@h:port",
    f"http://u:{PASSWORD}",
    f"http://u:{PASSWORD}/x@h:3128",
    f"ftp://u:{PASSWORD}@h:3128",
    f"socks5://u:{PASSWORD}@h:1080",
    f"http:/u:{PASSWORD}@h:3128",
    f"://u:{PASSWORD}@h",
    f"http://u:{PASSWORD}@[::1",
    f"http://u:{PASSWORD}@h:1 2",
    f"http://u:{PASSWORD}@h/path",
    f"http://u:{PASSWORD}@h?query",
    "http://",
    "\x01",
)
VALID = (
    "http://h:3128",
    "https://h",
    "HTTP://u:p@h:1/",
    "h:3128",
    "u:p@h:3128",
    "h",
    "http://[::1]:3128",
)
WAYS = (
    {"KEYVIGIL_SLACK_TOKEN": "xoxb-1-a", "KEYVIGIL_SLACK_CHANNEL": "#security"},
    {"KEYVIGIL_SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/x"},
    {"KEYVIGIL_WEBHOOK_URL": "https://hook.example.com/x"},
)
PING = {"KEYVIGIL_PING_URL": "https://ping.example.com/x"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "http_proxy"])
@pytest.mark.parametrize("value", INVALID)
def test_an_invalid_address_is_rejected_by_the_name_of_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as caught:
        check_environment_proxies()
    assert variable in str(caught.value).split()
    assert caught.value.help
    assert PASSWORD not in f"{caught.value!r}{caught.value.help}"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY"])
@pytest.mark.parametrize("value", VALID)
def test_a_valid_address_can_be_used_for_the_api(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    Connections(Secret("k"), "https://api.example.com", Network())


@pytest.mark.parametrize("value", [*INVALID, *VALID, "*", "[", "a:99999", "10.0.0.0/8"])
def test_any_list_of_hosts_without_a_proxy_can_be_used_for_the_api(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://h:3128")
    monkeypatch.setenv("NO_PROXY", value)
    Connections(Secret("k"), "https://api.example.com", Network())


@pytest.mark.parametrize("way", WAYS)
def test_alerts_that_go_through_an_invalid_proxy_are_refused(
    way: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", INVALID[0])
    with pytest.raises(UsageError, match=r"^HTTPS_PROXY "):
        read_alert_settings(way, None)


def test_a_ping_that_goes_through_an_invalid_proxy_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", INVALID[0])
    with pytest.raises(UsageError, match=r"^ALL_PROXY "):
        read_ping_url(PING)


def test_what_does_not_go_through_a_proxy_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", INVALID[0])
    mail = {
        "KEYVIGIL_MAIL_TO": "ada@example.com",
        "KEYVIGIL_MAIL_FROM": "keyvigil@example.com",
        "KEYVIGIL_SMTP_URL": "smtps://mail.example.com",
    }
    here = {"KEYVIGIL_SLACK_API_URL": "http://127.0.0.1:9/api/"}
    assert read_alert_settings({**mail, **WAYS[0], **here}, None).token
    assert read_alert_settings({"KEYVIGIL_WEBHOOK_URL": "http://127.0.0.1:9/"}, None).addresses
    assert read_ping_url({"KEYVIGIL_PING_URL": "http://127.0.0.1:9/"})
    assert read_ping_url({}) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "way"),
    [*((("scan",), way) for way in (*WAYS, PING)), *((("alerts", "test"), way) for way in WAYS)],
)
def test_a_command_ends_with_one_error_before_anything_is_sent(
    arguments: tuple[str, ...], way: dict[str, str], sandbox_url: str
) -> None:
    own = {"OPENAI_BASE_URL": sandbox_url, "OPENAI_ADMIN_KEY": "sk-admin-x"}
    ran = keyvigil(*arguments, env={**own, **way, "https_proxy": INVALID[0]})
    assert ran.code == 2, ran.err
    assert ran.err.count("error: ") == 1
    assert "error: https_proxy " in ran.err
    assert PASSWORD not in ran.err + ran.out


@pytest.mark.slow
def test_doctor_names_an_invalid_proxy_for_each_connection_and_shows_no_part_of_it(
    tmp_path: Path,
) -> None:
    env = {"OPENAI_BASE_URL": "", "OPENAI_ADMIN_KEY": "sk-admin-x", "HTTPS_PROXY": INVALID[3]}
    code, lines = examined({**env, **WAYS[0], **PING}, tmp_path)
    assert code == 2
    assert problems(lines) >= {"connection", "alerts", "pings"}
    assert "proxy and TLS" not in lines
