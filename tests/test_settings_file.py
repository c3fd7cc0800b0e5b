"""keyvigil.yaml: every mistake at its line and column, no secret in any, nothing else raised."""

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.alerts_file import is_address
from scanner.announcement import Route, Sink
from scanner.errors import SettingsError, UsageError
from scanner.settings_file import FileSettings, parse_settings, read_settings_file
from scanner.severity import Severity

GOOD = """\
alerts:
  report: https://example.com/scans/{date}/{scan_id}.html
  routes:
    - name: security
      slack: "#security"
      severity: high
      projects: [prod-*, "billing ?"]
      rules: [key-*]
      owners: ["*@example.com"]
      mention: S0123456789
      attach: true
      quiet: summary
      reminder: 7d
    - name: owners
      slack_owners: C0123456789
      reminder: never
    - { name: hook, slack_webhook: KEYVIGIL_SLACK_WEBHOOK, mention: S0123456789 }
    - { name: siem, webhook: SIEM_ADDRESS, quiet: silent }
    - { name: mail, email: [ada@example.com, bob@example.com], attach: false }
    - { name: one, email: ada@example.com, projects: prod }
"""
LEADS = "a route leads to one of slack, slack_owners, slack_webhook, webhook, email"
SECRETS = (
    "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
    "xoxb-123456789012-abcdefghijkl",
    "xapp-1-A0123456789-abcdefghijkl",
    "sk-admin-abcdefghijklmnop",
)
PLACES = (
    "alerts: {{ routes: [{{ name: a, slack_webhook: {0} }}] }}",
    "alerts: {{ routes: [{{ name: a, webhook: '{0}' }}] }}",
    "alerts: {{ routes: [{{ name: a, slack: '{0}' }}] }}",
    "alerts: {{ routes: [{{ name: a, slack: '#a', mention: {0} }}] }}",
    "alerts: {{ routes: [{{ name: a, email: [{0}] }}] }}",
    "alerts: {{ routes: [{{ name: a, email: a@example.com, severity: {0} }}] }}",
    "alerts: {{ routes: [{{ name: a, email: a@example.com, quiet: [{0}] }}] }}",
    "alerts: {{ routes: [{{ name: a, email: a@example.com, rules: {0} }}] }}",
    "alerts: {{ routes: [{{ name: {0}, email: a@example.com }}] }}",
    "alerts: {{ routes: [{{ name: a, email: a@example.com, token: {0} }}] }}",
    "alerts: {{ report: {0}, routes: [{{ name: a, email: a@example.com }}] }}",
    "alerts: {{ routes: [{{ name: a, email: a@example.com }}], ? '{0}' : x }}",
    "alerts: {{ routes: [{0}] }}",
    "alerts: {0}",
    "{0}",
    "token: {0}",
    "alerts: *{0}",
    "policies: [{0}]",
    "outputs: {{ html: '{0}' }}",
    "outputs: {{ '{0}': a }}",
    "fail_on: {0}",
    "parallel: {0}",
    "snapshot: 'out/{0}/x'",
    "store: {{ url: 'postgresql://{0}@db/k' }}",
    "store: {{ url_env: '{0}' }}",
    "http: {{ base_url: 'https://{0}@example.com' }}",
    "organizations: [{{ name: a, key_env: {0} }}]",
    "organizations: [{{ name: a, key_file: '{0}' }}]",
    "organizations: [{{ name: a, key_command: [echo, '{0}'] }}]",
    "a: &{0} b\nc: &{0} d",
)


def mistakes(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "k.yaml")
    return [str(problem) for problem in caught.value.problems]


def route_mistakes(route: str) -> list[str]:
    lines = mistakes(f"alerts:\n  routes:\n  - {route}\n")
    return [re.sub(r"^k\.yaml:\d+:\d+: ", "", line) for line in lines]


def test_a_file_with_every_option_is_read() -> None:
    assert parse_settings(GOOD, "k.yaml") == FileSettings(
        at={"alerts": "k.yaml:2:3"},
        report="https://example.com/scans/{date}/{scan_id}.html",
        routes=(
            Route(
                name="security",
                sink=Sink.SLACK,
                to="#security",
                severity=Severity.HIGH,
                projects=("prod-*", "billing ?"),
                rules=("key-*",),
                owners=("*@example.com",),
                mention="S0123456789",
                attach=True,
                quiet=False,
                reminder=timedelta(days=7),
            ),
            Route(name="owners", sink=Sink.SLACK_OWNERS, to="C0123456789", reminder=None),
            Route(
                name="hook",
                sink=Sink.SLACK_WEBHOOK,
                to="KEYVIGIL_SLACK_WEBHOOK",
                mention="S0123456789",
            ),
            Route(name="siem", sink=Sink.WEBHOOK, to="SIEM_ADDRESS"),
            Route(name="mail", sink=Sink.EMAIL, to="ada@example.com, bob@example.com"),
            Route(name="one", sink=Sink.EMAIL, to="ada@example.com", projects=("prod",)),
        ),
    )


def test_all_mistakes_are_told_at_once_each_at_its_place() -> None:
    text = """\
alrets: {}
alerts:
  report: http://example.com
  routes:
    - name: one
      slack: #security
      severity: hihg
      quiet: yes
      reminder: 12h
    - name: one
      slack: security
      mention: "@here"
      attach: maybe
    - email: [ada, "", "a@b\\nc@d", bob@example.com]
      projects: []
      mention: S0123456789
    - { name: two, slack: "#a", webhook: https://example.com/x, owners: [1] }
    - { name: one, slack_webhook: "https://example.com/x", attach: true, severity: }
    - { name: four, sevrity: high, quiet: loud }
    - five
    - {}
"""
    assert mistakes(text) == [
        "k.yaml:1:1: unknown key 'alrets' in the file; did you mean 'alerts'?",
        (
            "k.yaml:3:11: 'report' is the address of the page, for a link to it: https://...,"
            " with {scan_id} or {date} in it where they vary"
        ),
        (
            "k.yaml:6:13: 'slack' is empty: a channel stands in quotes, as \"#security\", for #"
            " begins a comment"
        ),
        "k.yaml:7:17: 'severity' is never 'hihg'; did you mean 'high'?",
        "k.yaml:8:14: 'quiet' is never 'yes'; known: silent, summary",
        "k.yaml:9:17: 'reminder' is how often, a day at least, such as 14d, or never",
        "k.yaml:10:7: there are two routes 'one'",
        "k.yaml:11:14: 'slack' names a channel, such as \"#security\" or C0123456789",
        "k.yaml:12:16: 'mention' is a user group's id, such as S0123456789",
        "k.yaml:13:15: 'attach' is true or false, without quotes",
        "k.yaml:14:7: a route lacks 'name'",
        "k.yaml:14:15: an entry of 'email' is no address, such as team@example.com",
        "k.yaml:14:20: an entry of 'email' must not be empty",
        "k.yaml:14:24: an entry of 'email' is no address, such as team@example.com",
        "k.yaml:15:17: 'projects' is empty: list something or remove it",
        "k.yaml:16:16: 'mention' calls a user group of Slack, and is for Slack",
        f"k.yaml:17:7: {LEADS}",
        (
            "k.yaml:17:42: 'webhook' names the environment variable that holds the address, which"
            " is a secret; write KEYVIGIL_WEBHOOK_URL and set that"
        ),
        ("k.yaml:17:74: an entry of 'owners' must be text: YAML reads 1 as int; write \"1\""),
        "k.yaml:18:7: there are two routes 'one'",
        (
            "k.yaml:18:35: 'slack_webhook' names the environment variable that holds the address,"
            " which is a secret; write KEYVIGIL_SLACK_WEBHOOK and set that"
        ),
        "k.yaml:18:68: a webhook takes no files: 'attach' is for slack and email",
        "k.yaml:18:84: 'severity' is one of critical, high, medium, low, info",
        f"k.yaml:19:7: {LEADS}",
        "k.yaml:19:21: unknown key 'sevrity' in a route; did you mean 'severity'?",
        "k.yaml:19:43: 'quiet' is never 'loud'; known: silent, summary",
        "k.yaml:20:7: a route must be a mapping with name",
        "k.yaml:21:7: a route lacks 'name'",
        f"k.yaml:21:7: {LEADS}",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "k.yaml:1:1: the file is empty"),
        ("[]", "k.yaml:1:1: the file must be a mapping with policies, outputs, "),
        ("alerts:\n", "k.yaml:1:8: 'alerts' must be a mapping with routes"),
        ("alerts: {}\n", "k.yaml:1:9: 'alerts' lacks 'routes'"),
        ("alerts: { routes: [] }", "k.yaml:1:19: 'routes' takes a list with at least one route"),
        ("alerts: { routes: {} }", "k.yaml:1:19: 'routes' takes a list with at least one route"),
        ("alerts: [a\n", "k.yaml:2:1: not YAML: "),
        ("a: b\n---\n", "k.yaml:2:1: a file holds one document"),
    ],
)
def test_what_holds_no_settings_is_refused_with_its_place(text: str, mistake: str) -> None:
    assert mistakes(text)[0].startswith(mistake)


@pytest.mark.parametrize(
    "page",
    [
        "http://example.com/",
        "example.com",
        "https://",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/{scan}",
        "https://example.com/{}",
        'https://example.com/"onclick',
        "https://example.com/<x>",
        "https://exämple.com/",
        "javascript:alert(1)//https://",
    ],
)
def test_a_page_that_no_link_can_lead_to_is_refused(page: str) -> None:
    quoted = page.replace("'", "''")
    route = "routes: [{ name: a, slack: '#a' }]"
    assert len(mistakes(f"alerts: {{ report: '{quoted}', {route} }}")) == 1


def test_a_channel_without_quotes_is_told_what_became_of_it() -> None:
    (mistake,) = route_mistakes("name: a\n    slack: #security\n")
    assert mistake.startswith("'slack' is empty: a channel stands in quotes, as \"#security\"")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_shown(place: str, secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(place.format(secret), "k.yaml")
    told = str(caught.value)
    assert secret[-12:] not in told
    assert "abcdefghijkl" not in told


@pytest.mark.parametrize("secret", SECRETS)
def test_where_a_secret_stands_the_way_to_do_it_is_told_and_nothing_else(secret: str) -> None:
    (mistake,) = route_mistakes(f"{{ name: a, slack_webhook: '{secret}' }}")
    assert mistake == (
        "this is a secret, and this file is no place for one: put it into the environment (a token"
        " into KEYVIGIL_SLACK_TOKEN, a webhook's address into KEYVIGIL_SLACK_WEBHOOK, an admin key"
        " where key_env, key_file or key_command of its organization finds it), remove it here, and"
        " replace it by a new one if others can read the file"
    )


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a@b", True),
        ("jörg@exämple.com", True),
        ("a@b, c@d", False),
        ("a@b\n", False),
        ("a@b\x00", False),
        ("a@b\udcff", False),
        ("A <a@b>", False),
        ("@b", False),
        ("a@", False),
        ("a@b@c", False),
        ("", False),
    ],
)
def test_one_address_and_nothing_else(text: str, *, is_one: bool) -> None:
    assert is_address(text) == is_one


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"\xff\xfe", "are no UTF-8 text."),
        (b"#" * 1_000_001, "are larger than 1,000,000 bytes."),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "k.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(f"The settings {path} {message}")) as caught:
        read_settings_file(path)
    assert caught.value.help == "Check the path in --config or KEYVIGIL_CONFIG."


def test_the_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "k.yaml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert read_settings_file(path) == parse_settings(GOOD, str(path))


@given(st.data())
def test_a_mutated_file_is_read_or_refused_with_a_place(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    with suppress(SettingsError):
        parse_settings(text, "k.yaml")
        return
    for problem in mistakes(text):
        assert re.match(r"k\.yaml:[1-9]\d*:[1-9]\d*: .", problem)
