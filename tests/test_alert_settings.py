"""Alert settings from the environment and from keyvigil.yaml, valid and invalid."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from scanner.alert_settings import AlertSettings, read_alert_settings
from scanner.alerts.email import MailServer
from scanner.announcement import Route, Sink
from scanner.errors import SettingsError, UsageError
from scanner.secret import Secret
from scanner.wiring import make_sinks
from tests.cli.running import keyvigil
from tests.support.prose import Prose

TOKEN = "xoxb-123456789012-abcdefghijkl"
HOOK = "https://hooks.slack.com/services/T0/B0/abcdefghijkl"
SIGNS = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
SLACK = {"KEYVIGIL_SLACK_TOKEN": TOKEN, "KEYVIGIL_SLACK_CHANNEL": "#security"}
MAIL = {
    "KEYVIGIL_MAIL_TO": "ada@example.com",
    "KEYVIGIL_MAIL_FROM": "keyvigil@example.com",
    "KEYVIGIL_SMTP_URL": "smtps://robot:abcdefghijkl@mail.example.com",
}
TO_SLACK = Route(name="slack", sink=Sink.SLACK, to="#security", attach=True)
TO_HOOK = Route(name="slack-webhook", sink=Sink.SLACK_WEBHOOK, to="KEYVIGIL_SLACK_WEBHOOK")
TO_WEBHOOK = Route(name="webhook", sink=Sink.WEBHOOK, to="KEYVIGIL_WEBHOOK_URL")
TO_MAIL = Route(name="email", sink=Sink.EMAIL, to="ada@example.com", attach=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


read = partial(read_alert_settings, config=None)


def refusal(environment: Mapping[str, str]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(environment)
    told = f"{caught.value}{caught.value.help}"
    assert "\n" not in told
    assert "abcdefghijkl" not in told
    assert caught.value.help
    return caught.value


def test_without_settings_there_are_no_routes() -> None:
    assert read({}) == AlertSettings()
    assert make_sinks(read({}), lambda _: None) == {}


def test_a_token_and_a_channel() -> None:
    assert read(SLACK) == AlertSettings(routes=(TO_SLACK,), token=Secret(TOKEN))


def test_a_webhook_of_slack_alone() -> None:
    assert read({"KEYVIGIL_SLACK_WEBHOOK": f" {HOOK}\n"}) == AlertSettings(
        routes=(TO_HOOK,), addresses={"slack-webhook": Secret(HOOK)}
    )


def test_of_token_and_webhook_the_token_wins() -> None:
    assert read({**SLACK, "KEYVIGIL_SLACK_WEBHOOK": HOOK}) == read(SLACK)


def test_without_a_channel_the_webhook_is_used() -> None:
    both = {"KEYVIGIL_SLACK_TOKEN": TOKEN, "KEYVIGIL_SLACK_WEBHOOK": HOOK}
    assert read(both) == read({"KEYVIGIL_SLACK_WEBHOOK": HOOK})


@pytest.mark.slow
def test_a_token_alone_is_one_clear_line_and_exit_2(folder: Path) -> None:
    error = refusal({"KEYVIGIL_SLACK_TOKEN": TOKEN})
    assert str(error).startswith("KEYVIGIL_SLACK_TOKEN is set")
    store = {"KEYVIGIL_STORE": str(folder / "history.db"), "OPENAI_ADMIN_KEY": "sk-admin-x"}
    ran = keyvigil("scan", cwd=folder, env={"KEYVIGIL_SLACK_TOKEN": TOKEN, **store})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [f"error: {error}", f"help: {error.help}"]


def test_all_sinks_together() -> None:
    environment = {
        **SLACK,
        **MAIL,
        "KEYVIGIL_WEBHOOK_URL": "https://example.com/x",
        "KEYVIGIL_WEBHOOK_SECRET": SIGNS,
    }
    settings = read(environment)
    assert settings == AlertSettings(
        routes=(TO_SLACK, TO_WEBHOOK, TO_MAIL),
        token=Secret(TOKEN),
        mail=MailServer(
            host="mail.example.com",
            port=465,
            user="robot",
            password=Secret("abcdefghijkl"),
            is_tls_from_start=True,
            is_loopback=False,
            sender="keyvigil@example.com",
        ),
        addresses={"webhook": Secret("https://example.com/x")},
        webhook_secret=Secret(SIGNS),
    )
    assert list(make_sinks(settings, lambda _: None)) == ["slack", "webhook", "email"]
    assert "abcdefghijkl" not in repr(settings)


def test_a_variable_of_white_space_is_not_set() -> None:
    names = (*SLACK, "KEYVIGIL_SLACK_WEBHOOK", "KEYVIGIL_WEBHOOK_URL", *MAIL)
    assert read(dict.fromkeys(names, " \n")) == AlertSettings()


@pytest.mark.parametrize(
    "token", ["", "abcdefghijkl", "xapp-1-abcdefghijkl", f"{TOKEN}\nx: y", f"{TOKEN}ä"]
)
def test_an_invalid_token_is_rejected_and_not_shown(token: str, prose: Prose) -> None:
    error = refusal({**SLACK, "KEYVIGIL_SLACK_TOKEN": token})
    assert "KEYVIGIL_SLACK_TOKEN" in str(error)
    assert "xoxb-..." in str(error.help)
    prose(f"{error}\n{error.help}")


@pytest.mark.parametrize("token", [TOKEN, "xoxp-1-a", "xoxe.xoxb-1-abc"])
def test_tokens_of_slack(token: str) -> None:
    assert read({**SLACK, "KEYVIGIL_SLACK_TOKEN": f" {token}\n"}).token == Secret(token)


@pytest.mark.parametrize("name", ["KEYVIGIL_SLACK_WEBHOOK", "KEYVIGIL_WEBHOOK_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/abcdefghijkl",
        "http://127.0.0.1.example.com/abcdefghijkl",
        "hooks.slack.com/abcdefghijkl",
        "https:///abcdefghijkl",
        "https://[abcdefghijkl",
        "https://example.com:abcdefghijkl/",
        "https://example.com:99999/abcdefghijkl",
        "https://example.com/abcdefghijkl and more",
        "https://example.com/\x00abcdefghijkl",
        "https://example.com/abcdefghijklä",
        "https://example.com/abc\ndefghijkl",
        "ftp://example.com/abcdefghijkl",
    ],
)
def test_an_invalid_or_unsafe_address_is_rejected_and_not_shown(name: str, address: str) -> None:
    error = refusal({name: address})
    assert str(error).startswith(f"{name} is ")
    assert ("plain http" in str(error)) == address.startswith("http:")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:1"])
def test_plain_http_is_for_loopback(host: str) -> None:
    address = f"http://{host}/x"
    settings = read({"KEYVIGIL_SLACK_WEBHOOK": address})
    assert settings.addresses == {"slack-webhook": Secret(address)}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 587, "", "", False, False)),
        ("smtps://mail.example.com", ("mail.example.com", 465, "", "", True, False)),
        ("smtp://mail.example.com:25/", ("mail.example.com", 25, "", "", False, False)),
        ("SMTPS://u:p@Mail.Example.com:1", ("mail.example.com", 1, "u", "p", True, False)),
        ("smtp://u%40b:p%23%2F%3F%3A@127.0.0.1", ("127.0.0.1", 587, "u@b", "p#/?:", False, True)),
        ("smtp://u:p:q@localhost", ("localhost", 587, "u", "p:q", False, True)),
        ("smtp://[::1]:25", ("::1", 25, "", "", False, True)),
    ],
)
def test_addresses_of_mail_servers(
    url: str, expected: tuple[str, int, str, str, bool, bool]
) -> None:
    server = read({**MAIL, "KEYVIGIL_SMTP_URL": url}).mail
    assert server
    assert expected == (
        server.host,
        server.port,
        server.user,
        server.password.reveal(),
        server.is_tls_from_start,
        server.is_loopback,
    )


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "mail.example.com:25",
        "http://mail.example.com",
        "imap://mail.example.com:143",
        "smtp://",
        "smtp://:25",
        "smtp://mail.example.com:abcdefghijkl",
        "smtp://mail.example.com:99999",
        "smtps://robot:abcdef#ghijkl@mail.example.com",
        "smtps://robot:12/abcdefghijkl@mail.example.com",
        "smtps://robot:12?abcdefghijkl@mail.example.com",
        "smtps://robot:abcdefghijklä@mail.example.com",
        "smtps://robot:abcdefghijkl%C3%A4@mail.example.com",
        "smtps://robot:abc defghijkl@mail.example.com",
        "smtps://mail.example.com/inbox",
    ],
)
def test_an_invalid_mail_server_is_rejected_and_not_shown(url: str) -> None:
    error = refusal({**MAIL, "KEYVIGIL_SMTP_URL": url})
    assert str(error).startswith("KEYVIGIL_SMTP_URL ")
    assert "%23 for #" in str(error.help)


@pytest.mark.parametrize("missing", ["KEYVIGIL_SMTP_URL", "KEYVIGIL_MAIL_FROM"])
def test_a_missing_variable_for_mail_is_named(missing: str) -> None:
    error = refusal({name: value for name, value in MAIL.items() if name != missing})
    assert str(error).startswith(f"{missing} is not set")


@pytest.mark.parametrize("sender", ["keyvigil", "a@", "a@b\nBcc: c@d", "a@b, c@d", "A B, C <a@b>"])
def test_an_invalid_sender_is_rejected_and_not_shown(sender: str) -> None:
    error = refusal({**MAIL, "KEYVIGIL_MAIL_FROM": sender})
    assert str(error).startswith("KEYVIGIL_MAIL_FROM is not a valid address")
    assert sender not in str(error)


def test_a_sender_may_have_a_name() -> None:
    server = read({**MAIL, "KEYVIGIL_MAIL_FROM": "KeyVigil <a@b>"}).mail
    assert server
    assert server.sender == "KeyVigil <a@b>"


@pytest.mark.parametrize("to", ["ada", "a@b,", "a@b; c@d", "a@b\nBcc: c@d", "A <a@b>", "a@b c@d"])
def test_invalid_recipients_are_rejected(to: str) -> None:
    error = refusal({**MAIL, "KEYVIGIL_MAIL_TO": to})
    assert str(error).startswith("KEYVIGIL_MAIL_TO is not a valid")


def test_recipients_are_separated_by_commas() -> None:
    (route,) = read({**MAIL, "KEYVIGIL_MAIL_TO": " a@b,c@d ,  e@f"}).routes
    assert route.to == "a@b, c@d, e@f"


def test_a_slack_elsewhere_is_asked_over_tls() -> None:
    elsewhere = "https://slack-gov.com/api/"
    assert read({**SLACK, "KEYVIGIL_SLACK_API_URL": elsewhere}).slack_api == elsewhere
    error = refusal({**SLACK, "KEYVIGIL_SLACK_API_URL": "http://example.com/"})
    assert str(error) == "KEYVIGIL_SLACK_API_URL is plain http, not https."


def test_the_files_routes_win_and_its_secrets_come_from_the_environment(folder: Path) -> None:
    (folder / "keyvigil.yaml").write_text(
        "alerts:\n"
        "  report: https://example.com/{scan_id}\n"
        "  routes: [{ name: siem, webhook: SIEM }, { name: team, slack_owners: '#security' }]\n"
    )
    environment = {**SLACK, **MAIL, "SIEM": HOOK, "KEYVIGIL_WEBHOOK_SECRET": SIGNS}
    assert read(environment) == AlertSettings(
        routes=(
            Route(name="siem", sink=Sink.WEBHOOK, to="SIEM"),
            Route(name="team", sink=Sink.SLACK_OWNERS, to="#security"),
        ),
        token=Secret(TOKEN),
        addresses={"siem": Secret(HOOK)},
        webhook_secret=Secret(SIGNS),
        report="https://example.com/{scan_id}",
    )


def test_a_variable_that_the_file_names_must_be_set(folder: Path) -> None:
    (folder / "keyvigil.yaml").write_text("alerts: { routes: [{ name: siem, webhook: SIEM }] }")
    error = refusal({"KEYVIGIL_WEBHOOK_URL": HOOK})
    assert str(error).startswith("SIEM is not set")
    assert "'siem'" in str(error)


def test_a_file_that_was_named_must_be_there(folder: Path) -> None:
    mine = folder / "mine.yaml"
    mine.write_text("alerts: { routes: [{ name: mine, slack: '#mine' }] }")
    (folder / "keyvigil.yaml").write_text("alerts: { routes: [{ name: here, slack: '#here' }] }")
    by_option, by_name = read(SLACK, config=mine), read({**SLACK, "KEYVIGIL_CONFIG": str(mine)})
    assert [route.name for route in (*by_option.routes, *by_name.routes)] == ["mine", "mine"]
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(SLACK, config=folder / "nowhere.yaml")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read({**SLACK, "KEYVIGIL_CONFIG": "nowhere.yaml"})


def test_a_mistake_in_the_file_is_not_passed_over_for_the_environment(folder: Path) -> None:
    (folder / "keyvigil.yaml").write_text("alerts: {}")
    with pytest.raises(SettingsError, match="1:9: 'alerts' lacks 'routes'"):
        read(SLACK)
