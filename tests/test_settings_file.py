"""keyvigil.yaml: every mistake at its line and column, without secrets, and no other error."""

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
from tests.support.prose import Prose

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


def test_all_mistakes_are_reported_together_each_at_its_place(prose: Prose) -> None:
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
    prose("\n".join(mistakes(text)))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1:1"),
        ("[]", "1:1"),
        ("alerts:\n", "1:8"),
        ("alerts: {}\n", "1:9"),
        ("alerts: { routes: [] }", "1:19"),
        ("alerts: { routes: {} }", "1:19"),
        ("alerts: [a\n", "2:1"),
        ("a: b\n---\n", "2:1"),
    ],
)
def test_a_file_without_valid_settings_is_rejected_with_the_place(
    text: str, place: str, prose: Prose
) -> None:
    first, *_ = mistakes(text)
    assert first.startswith(f"k.yaml:{place}: ")
    prose(first)


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


def test_a_channel_without_quotes_is_rejected_with_an_explanation(prose: Prose) -> None:
    (mistake,) = route_mistakes("name: a\n    slack: #security\n")
    prose(mistake)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_shown(place: str, secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(place.format(secret), "k.yaml")
    told = str(caught.value)
    assert secret[-12:] not in told
    assert "abcdefghijkl" not in told


@pytest.mark.parametrize("secret", SECRETS)
def test_the_only_mistake_of_a_secret_is_that_it_is_one(secret: str, prose: Prose) -> None:
    (mistake,) = route_mistakes(f"{{ name: a, slack_webhook: '{secret}' }}")
    prose(mistake)


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
    "content",
    [None, b"\xff\xfe", pytest.param(b"#" * 1_000_001, id="large")],
)
def test_a_file_that_cannot_be_read_is_one_error(
    tmp_path: Path, content: bytes | None, prose: Prose
) -> None:
    path = tmp_path / "k.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(str(path))) as caught:
        read_settings_file(path)
    prose(f"{caught.value}\n{caught.value.help}")


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
