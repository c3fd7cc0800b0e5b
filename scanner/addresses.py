"""Parts of an address: its host, and a user, password or query that must not be shown."""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_USER: Final = re.compile(r"(?<=://).*@", re.DOTALL)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_address(text: str) -> SplitResult:
    """Return the parts of an address; all are empty if requests to it are impossible."""
    nothing = urlsplit("")
    if not text.isascii() or not text.isprintable() or " " in text:
        return nothing
    try:
        url = urlsplit(text)
        _ = url.port  # only reading the port raises ValueError for an invalid one
    except ValueError:
        return nothing
    return url


def without_user(text: str) -> str:
    """Return an address that is safe to show: user, password and query are masked."""
    shown = _USER.sub("***@", text)
    return f"{shown.partition('?')[0]}?***" if "://" in shown and "?" in shown else shown


def holds_password(text: str) -> bool:
    """Whether an address contains a password, before the host or in its query."""
    if "://" not in text:
        return False
    user, at, _host = text.partition("://")[2].rpartition("@")
    return bool(at and ":" in user) or "password=" in text.lower()
