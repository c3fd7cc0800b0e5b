"""Who is told of what: by keyvigil.yaml, or else by the environment; secrets by the latter only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import getaddresses
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from scanner.addresses import is_loopback, split_address
from scanner.alerts.email import MailServer
from scanner.alerts_file import is_address, is_channel
from scanner.announcement import Route, Sink
from scanner.errors import UsageError
from scanner.proxies import check_environment_proxies
from scanner.secret import Secret
from scanner.settings import refuse_misspelt
from scanner.settings_file import (
    DEFAULT_FILE,
    FileSettings,
    find_settings_file,
    read_settings_file,
)

TOKEN: Final = "KEYVIGIL_SLACK_TOKEN"  # noqa: S105 - a variable's name
CHANNEL: Final = "KEYVIGIL_SLACK_CHANNEL"
SLACK_WEBHOOK: Final = "KEYVIGIL_SLACK_WEBHOOK"
WEBHOOK: Final = "KEYVIGIL_WEBHOOK_URL"
WEBHOOK_SECRET: Final = "KEYVIGIL_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
SMTP: Final = "KEYVIGIL_SMTP_URL"
MAIL_TO: Final = "KEYVIGIL_MAIL_TO"
MAIL_FROM: Final = "KEYVIGIL_MAIL_FROM"
PING: Final = "KEYVIGIL_PING_URL"
_SLACK: Final = "https://slack.com"
SLACK_API: Final = "KEYVIGIL_SLACK_API_URL"

_PORTS: Final = {"smtps": 465, "smtp": 587}
_IS_TOKEN: Final = re.compile(r"xox[a-z][A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """The routes, and what they need. `addresses` are those of webhooks, by route.

    `report` is the address of a scan's page, with {scan_id} and {date} in it, or "". `slack_api` is
    where Slack's Web API is, if not at Slack.
    """

    routes: tuple[Route, ...] = ()
    token: Secret | None = None
    mail: MailServer | None = None
    addresses: Mapping[str, Secret] = field(default_factory=dict)
    webhook_secret: Secret | None = None
    report: str = ""
    slack_api: str = ""


def read_alert_settings(environment: Mapping[str, str], config: Path | None) -> AlertSettings:
    """Read who is told; `config` is the file that was named, if one was.

    Raise SettingsError with every mistake of the file, UsageError for what is missing beside it.
    """
    refuse_misspelt(environment)
    file = find_settings_file(environment, config)
    said = read_settings_file(file) if file else FileSettings()
    routes = said.routes or tuple(_of_environment(environment))
    sinks = {route.sink for route in routes}
    addresses = {route.name: _address(environment, route) for route in routes if _has_one(route)}
    token = _token(environment) if sinks & {Sink.SLACK, Sink.SLACK_OWNERS} else None
    slack_api = _slack_api(environment)
    used = [address.reveal() for address in addresses.values()]
    if any(map(_is_over_tls, [*used, *([slack_api or _SLACK] if token else [])])):
        check_environment_proxies()
    return AlertSettings(
        routes=routes,
        token=token,
        mail=_mail_server(environment) if Sink.EMAIL in sinks else None,
        addresses=addresses,
        webhook_secret=Secret(secret) if (secret := _text(environment, WEBHOOK_SECRET)) else None,
        report=said.report,
        slack_api=slack_api,
    )


def read_ping_url(environment: Mapping[str, str]) -> Secret | None:
    """Read where pings go, None: nowhere; raise UsageError for an address or proxy not to use."""
    text = _text(environment, PING)
    if text and not _is_safe(text):
        raise UsageError(
            f"{PING} {_unsafe(text)}.",
            help="Set it to the address that pings of this scan go to, https://...",
        )
    if _is_over_tls(text):
        check_environment_proxies()
    return Secret(text) if text else None


def _text(environment: Mapping[str, str], name: str) -> str:
    """Return what a variable says; "" if it is not set, or to nothing but white space."""
    return environment.get(name, "").strip()


def _of_environment(environment: Mapping[str, str]) -> Iterator[Route]:
    """Yield a route for each way that the environment knows: everything, to one place."""
    channel = _text(environment, CHANNEL)
    if channel and not is_channel(channel):
        raise UsageError(
            f"{CHANNEL} names no channel.", help='For example "#security", or its id: C0123456789.'
        )
    if channel:
        yield Route(name="slack", sink=Sink.SLACK, to=channel, attach=True)
    elif _text(environment, SLACK_WEBHOOK):
        yield Route(name="slack-webhook", sink=Sink.SLACK_WEBHOOK, to=SLACK_WEBHOOK)
    elif _text(environment, TOKEN):
        raise UsageError(
            f"{TOKEN} is set, and no channel to post to.",
            help=f"Set {CHANNEL}, for example to #security, or list routes in {DEFAULT_FILE}.",
        )
    if _text(environment, WEBHOOK):
        yield Route(name="webhook", sink=Sink.WEBHOOK, to=WEBHOOK)
    if _text(environment, MAIL_TO):
        yield Route(name="email", sink=Sink.EMAIL, to=_mail_to(environment), attach=True)


def _mail_to(environment: Mapping[str, str]) -> str:
    addresses = [address.strip() for address in _text(environment, MAIL_TO).split(",")]
    if not all(map(is_address, addresses)):
        raise UsageError(
            f"{MAIL_TO} is no e-mail address.",
            help="For example security@example.com; several are separated by commas.",
        )
    return ", ".join(addresses)


def _has_one(route: Route) -> bool:
    return route.sink in (Sink.SLACK_WEBHOOK, Sink.WEBHOOK)


def _address(environment: Mapping[str, str], route: Route) -> Secret:
    """Return a webhook's address; raise UsageError unless it is one, over TLS or on loopback."""
    text = _text(environment, route.to)
    if not _is_safe(text):
        what = _unsafe(text) if text else "is not set"
        raise UsageError(
            f"{route.to} {what}, and the route '{route.name}' posts to it.",
            help="Set it to the webhook's address, https://...",
        )
    return Secret(text)


def _token(environment: Mapping[str, str]) -> Secret:
    token = _text(environment, TOKEN)
    if not _IS_TOKEN.fullmatch(token):
        raise UsageError(
            f"{TOKEN} is {'no token of Slack' if token else 'not set'}, and alerts go to Slack.",
            help="Set it to the app's bot token (xoxb-...); deploy/slack/manifest.yaml makes one.",
        )
    return Secret(token)


def _slack_api(environment: Mapping[str, str]) -> str:
    address = _text(environment, SLACK_API)
    if address and not _is_safe(address):
        raise UsageError(
            f"{SLACK_API} {_unsafe(address)}.",
            help="Leave it out, unless Slack is somewhere else: https://slack-gov.com/api/",
        )
    return address


def _is_safe(address: str) -> bool:
    """Whether what is sent there travels over TLS, or does not leave this machine."""
    url = split_address(address)
    host = url.hostname or ""
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and is_loopback(host)))


def _is_over_tls(address: str) -> bool:
    """Whether an address is reached over TLS, and so through the proxy of the environment."""
    return split_address(address).scheme == "https"


def _unsafe(address: str) -> str:
    """Say why an address is not one to send secrets to."""
    is_plain = split_address(address).scheme == "http"
    return "is plain http, not https" if is_plain else "is no https address"


def _mail_server(environment: Mapping[str, str]) -> MailServer:
    """Read KEYVIGIL_SMTP_URL and KEYVIGIL_MAIL_FROM; raise UsageError on what cannot work."""
    text = _text(environment, SMTP)
    sender = _text(environment, MAIL_FROM)
    url = split_address(text)
    user, password = unquote(url.username or ""), unquote(url.password or "")
    is_more = bool(url.path.strip("/") or url.query or url.fragment)
    is_plain = f"{user}{password}".isascii()
    if not url.hostname or url.scheme not in _PORTS or is_more or not is_plain:
        raise UsageError(
            f"{SMTP} is {'no address of a mail server' if text else 'not set'}, and alerts go by"
            " mail.",
            help="For example smtps://user:password@mail.example.com or smtp://host:587, which"
            " switches to TLS. In a password write %23 for #, %2F for /, %3F for ?, %40 for @; it"
            " has no letters beyond ASCII.",
        )
    if not _is_sender(sender):
        raise UsageError(
            f"{MAIL_FROM} is {'no address' if sender else 'not set'}, and alerts go by mail.",
            help="Set it to the address that alerts come from, such as keyvigil@example.com.",
        )
    return MailServer(
        host=url.hostname,
        port=url.port or _PORTS[url.scheme],
        user=user,
        password=Secret(password),
        is_tls_from_start=url.scheme == "smtps",
        is_loopback=is_loopback(url.hostname),
        sender=sender,
    )


def _is_sender(text: str) -> bool:
    """Whether a text is one address, with or without a name before it."""
    addresses = [address for _, address in getaddresses([text])]
    return text.isprintable() and len(addresses) == 1 and is_address(addresses[0])
