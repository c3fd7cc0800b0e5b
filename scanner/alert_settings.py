"""Alert routes from keyvigil.yaml or the environment; secrets from the environment only."""

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
    """The routes and their secrets. `addresses` are those of webhooks, by route.

    `report` is the address of a scan's page, with {scan_id} and {date} in it, or "". `slack_api` is
    the address of Slack's Web API, or "" for the default.
    """

    routes: tuple[Route, ...] = ()
    token: Secret | None = None
    mail: MailServer | None = None
    addresses: Mapping[str, Secret] = field(default_factory=dict)
    webhook_secret: Secret | None = None
    report: str = ""
    slack_api: str = ""


def read_alert_settings(environment: Mapping[str, str], config: Path | None) -> AlertSettings:
    """Read the alert settings; `config` is the settings file of --config, if any.

    Raise SettingsError with every mistake of the file, UsageError for a missing or wrong variable.
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
    """Read the ping address, None: no pings; raise UsageError for an unsafe address or proxy."""
    text = _text(environment, PING)
    if text and not _is_safe(text):
        raise UsageError(
            f"{PING} {_unsafe(text)}.",
            help="Set it to the https:// address to ping.",
        )
    if _is_over_tls(text):
        check_environment_proxies()
    return Secret(text) if text else None


def _text(environment: Mapping[str, str], name: str) -> str:
    """Return a variable's value without white space around it; "" if it is not set."""
    return environment.get(name, "").strip()


def _of_environment(environment: Mapping[str, str]) -> Iterator[Route]:
    """Yield a route for each sink that the environment configures; each gets all findings."""
    channel = _text(environment, CHANNEL)
    if channel and not is_channel(channel):
        raise UsageError(
            f"{CHANNEL} is not a valid channel.",
            help='Set it to a name such as "#security", or an id such as C0123456789.',
        )
    if channel:
        yield Route(name="slack", sink=Sink.SLACK, to=channel, attach=True)
    elif _text(environment, SLACK_WEBHOOK):
        yield Route(name="slack-webhook", sink=Sink.SLACK_WEBHOOK, to=SLACK_WEBHOOK)
    elif _text(environment, TOKEN):
        raise UsageError(
            f"{TOKEN} is set, but no channel to post to.",
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
            f"{MAIL_TO} is not a valid e-mail address.",
            help="Set it to an address such as security@example.com; separate several with commas.",
        )
    return ", ".join(addresses)


def _has_one(route: Route) -> bool:
    return route.sink in (Sink.SLACK_WEBHOOK, Sink.WEBHOOK)


def _address(environment: Mapping[str, str], route: Route) -> Secret:
    """Return a webhook's address; raise UsageError unless it is https, or http on loopback."""
    text = _text(environment, route.to)
    if not _is_safe(text):
        what = _unsafe(text) if text else "is not set"
        raise UsageError(
            f"{route.to} {what}, but the route '{route.name}' posts to it.",
            help="Set it to the webhook's address, https://...",
        )
    return Secret(text)


def _token(environment: Mapping[str, str]) -> Secret:
    token = _text(environment, TOKEN)
    if not _IS_TOKEN.fullmatch(token):
        raise UsageError(
            f"{TOKEN} is {'not a valid Slack token' if token else 'not set'}, but alerts go to"
            " Slack.",
            help="Set it to the bot token (xoxb-...) of an app made from"
            " deploy/slack/manifest.yaml.",
        )
    return Secret(token)


def _slack_api(environment: Mapping[str, str]) -> str:
    address = _text(environment, SLACK_API)
    if address and not _is_safe(address):
        raise UsageError(
            f"{SLACK_API} {_unsafe(address)}.",
            help="Unset it, unless you use another Slack API, such as https://slack-gov.com/api/.",
        )
    return address


def _is_safe(address: str) -> bool:
    """Whether requests to the address use TLS or stay on this machine."""
    url = split_address(address)
    host = url.hostname or ""
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and is_loopback(host)))


def _is_over_tls(address: str) -> bool:
    """Whether an address is https, so that requests use the environment's proxy."""
    return split_address(address).scheme == "https"


def _unsafe(address: str) -> str:
    """Return why secrets must not be sent to an address."""
    is_plain = split_address(address).scheme == "http"
    return "is plain http, not https" if is_plain else "is not a valid https address"


def _mail_server(environment: Mapping[str, str]) -> MailServer:
    """Read KEYVIGIL_SMTP_URL and KEYVIGIL_MAIL_FROM; raise UsageError if one is not valid."""
    text = _text(environment, SMTP)
    sender = _text(environment, MAIL_FROM)
    url = split_address(text)
    user, password = unquote(url.username or ""), unquote(url.password or "")
    is_more = bool(url.path.strip("/") or url.query or url.fragment)
    is_plain = f"{user}{password}".isascii()
    if not url.hostname or url.scheme not in _PORTS or is_more or not is_plain:
        raise UsageError(
            f"{SMTP} is {'not a valid mail server address' if text else 'not set'}, but alerts go"
            " by mail.",
            help="Use smtps://user:password@mail.example.com, or smtp://host:587, which switches"
            " to TLS. In a password write %23 for #, %2F for /, %3F for ?, %40 for @; it must be"
            " ASCII.",
        )
    if not _is_sender(sender):
        raise UsageError(
            f"{MAIL_FROM} is {'not a valid address' if sender else 'not set'}, but alerts go by"
            " mail.",
            help="Set it to the sender of alerts, such as keyvigil@example.com.",
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
    """Whether a text is one e-mail address, with or without a name before it."""
    addresses = [address for _, address in getaddresses([text])]
    return text.isprintable() and len(addresses) == 1 and is_address(addresses[0])
