"""The environment -> frozen settings, checked before anything is asked of anyone."""

import difflib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import platformdirs

from scanner.durations import parse_duration
from scanner.errors import CredentialError, UsageError
from scanner.secret import Secret

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"
DEFAULT_CONCURRENCY: Final = 32
MAX_CONCURRENCY: Final = 128
_LARGEST: Final = 100_000
_OURS: Final = (
    "KEYVIGIL_COLLECT",
    "KEYVIGIL_CONFIG",
    "KEYVIGIL_CONCURRENCY",
    "KEYVIGIL_CRON",
    "KEYVIGIL_DEADLINE",
    "KEYVIGIL_DEBUG",
    "KEYVIGIL_FAIL_ON",
    "KEYVIGIL_KEEP",
    "KEYVIGIL_KEEP_SNAPSHOTS",
    "KEYVIGIL_LEASE",
    "KEYVIGIL_LISTEN",
    "KEYVIGIL_LOG_FORMAT",
    "KEYVIGIL_MAIL_FROM",
    "KEYVIGIL_MAIL_TO",
    "KEYVIGIL_ORGANIZATION",
    "KEYVIGIL_REDACT_EMAILS",
    "KEYVIGIL_OUTPUT",
    "KEYVIGIL_POLICY",
    "KEYVIGIL_REPORTS",
    "KEYVIGIL_REPORTS_TOKEN",
    "KEYVIGIL_REVOCATION",
    "KEYVIGIL_SKIP",
    "KEYVIGIL_SLACK_API_URL",
    "KEYVIGIL_SLACK_CHANNEL",
    "KEYVIGIL_SLACK_TOKEN",
    "KEYVIGIL_SLACK_WEBHOOK",
    "KEYVIGIL_SMTP_URL",
    "KEYVIGIL_STORE",
    "KEYVIGIL_TIME_ZONE",
    "KEYVIGIL_WEBHOOK_SECRET",
    "KEYVIGIL_WEBHOOK_URL",
)

_MAKE_ONE: Final = (
    "Make an admin key under Organization > Admin keys in the OpenAI settings"
    " and put it into OPENAI_ADMIN_KEY."
)
_NOT_ADMIN: Final = {
    "sk-proj-": "a project key",
    "sk-svcacct-": "a service account's project key",
    "sk-": "a user or project key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach one organization: `base_url` without a slash at its end.

    `concurrency` is how many requests may be under way at once; `deadline` in seconds, None: never.
    """

    admin_key: Secret
    base_url: str
    concurrency: int = DEFAULT_CONCURRENCY
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where the history is kept, how long, and the seconds after which a dead scan's lock is free.

    `place` is a Secret, as a database's address can hold a password.
    """

    place: Secret
    keep: timedelta = timedelta(days=400)
    keep_snapshots: int = 30
    lease: float = 30.0


def read_settings(
    environment: Mapping[str, str],
    *,
    concurrency: int = DEFAULT_CONCURRENCY,
    minutes: float | None = None,
) -> Settings:
    """Read OPENAI_ADMIN_KEY and OPENAI_BASE_URL; the rest comes from the command's options.

    `minutes` are those until the deadline, None: never.

    Raise CredentialError or UsageError on what cannot work, and on a misspelt KEYVIGIL_ name.
    """
    refuse_misspelt(environment)
    return Settings(
        admin_key=_admin_key(environment.get("OPENAI_ADMIN_KEY", "")),
        base_url=_base_url(environment.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL),
        concurrency=concurrency,
        deadline=minutes and minutes * 60,
    )


def read_store_settings(environment: Mapping[str, str], place: str | None) -> StoreSettings | None:
    """Read KEYVIGIL_KEEP, KEYVIGIL_KEEP_SNAPSHOTS and KEYVIGIL_LEASE; None if `place` is `none`.

    Raise UsageError on what cannot work.
    """
    if place == "none":
        return None
    default = platformdirs.user_state_path("keyvigil") / "history.db"
    keep = parse_duration(environment.get("KEYVIGIL_KEEP") or "400d")
    if keep is None or not timedelta(days=1) <= keep <= timedelta(days=36_500):
        raise UsageError(
            "KEYVIGIL_KEEP is no duration from a day to a hundred years.",
            help="For example 400d or 52w.",
        )
    return StoreSettings(
        place=Secret(place or str(default)),
        keep=keep,
        keep_snapshots=_whole_number(environment, "KEYVIGIL_KEEP_SNAPSHOTS", 30, least=0),
        lease=_whole_number(environment, "KEYVIGIL_LEASE", 30, least=1),
    )


def _whole_number(environment: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= _LARGEST:
        raise UsageError(f"{name} takes a whole number from {least} to {_LARGEST:,}.")
    return int(text)


def refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Refuse what is nearly one of our names: a gate must not be off for want of a letter."""
    for name in sorted(environment):
        if name.startswith("KEYVIGIL_") and name not in _OURS:
            near = difflib.get_close_matches(name, _OURS, n=1, cutoff=0.9)
            if near:
                raise UsageError(
                    f"The environment holds {name}, which is no setting.",
                    help=f"Did you mean {near[0]}?",
                )


def _admin_key(text: str) -> Secret:
    key = text.strip()
    if not key:
        raise CredentialError("There is no admin key: OPENAI_ADMIN_KEY is not set.", help=_MAKE_ONE)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise CredentialError(
            "OPENAI_ADMIN_KEY holds characters that no key has: was something else pasted?",
            help=_MAKE_ONE,
        )
    if not key.startswith("sk-admin-"):
        kinds = (f"{kind} ({p}...)" for p, kind in _NOT_ADMIN.items() if key.startswith(p))
        raise CredentialError(
            f"OPENAI_ADMIN_KEY holds {next(kinds, 'something else than a key of OpenAI')}. The"
            " Administration API takes admin keys only (sk-admin-...). Nothing was sent.",
            help=_MAKE_ONE,
        )
    return Secret(key)


def _base_url(text: str) -> str:
    problem = None
    try:
        url = urlsplit(text.strip())
        _ = url.port  # read here: a port that is no number raises only now
    except ValueError:
        url = urlsplit("")
    is_plain = text.strip().isascii() and text.strip().isprintable()
    if url.scheme not in ("https", "http") or not url.hostname or not is_plain:
        problem = "is not an https address"
    elif set("?#@ ") & set(text.strip()):
        problem = "must be an address and a path, without user, query or fragment"
    elif url.scheme == "http" and not is_loopback(url.hostname):
        problem = "is plain http, over which the admin key would travel readably"
    if problem:
        raise UsageError(
            f"OPENAI_BASE_URL {problem}.",
            help=f"Use https, as in {DEFAULT_BASE_URL}; plain http is for loopback only.",
        )
    return text.strip().rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
