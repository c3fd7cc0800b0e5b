"""What an address leads to, and what must not stand in one."""

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
    """Return an address in its parts, all empty if it is none that can be asked."""
    nothing = urlsplit("")
    if not text.isascii() or not text.isprintable() or " " in text:
        return nothing
    try:
        url = urlsplit(text)
        _ = url.port  # read here: a port that is no number raises only now
    except ValueError:
        return nothing
    return url


def without_user(text: str) -> str:
    """Return an address as it can be shown: what stands before the host, and a query, masked."""
    shown = _USER.sub("***@", text)
    return f"{shown.partition('?')[0]}?***" if "://" in shown and "?" in shown else shown


def holds_password(text: str) -> bool:
    """Whether an address has a password in it, or hides one in its query."""
    if "://" not in text:
        return False
    user, at, _host = text.partition("://")[2].rpartition("@")
    return bool(at and ":" in user) or "password=" in text.lower()
