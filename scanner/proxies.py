"""The proxies of the environment, for every connection over TLS."""

import os
from typing import Final
from urllib.request import getproxies

from scanner.addresses import split_address
from scanner.errors import UsageError

_SCHEMES: Final = ("https", "all", "http")
"""Of the variables HTTPS_PROXY, ALL_PROXY and HTTP_PROXY. An entry of NO_PROXY cannot be wrong."""


def check_environment_proxies() -> None:
    """Raise UsageError, without its value, for a variable that is not the address of a proxy."""
    proxies = getproxies()
    for scheme in _SCHEMES:
        if scheme in proxies and not _is_proxy(proxies[scheme]):
            names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
            name = next((name for name in names if os.environ.get(name)), names[1])
            raise UsageError(
                f"{name} is not a valid proxy address.",
                help="Use http://host:port, with a port from 1 to 65535. SOCKS proxies are not"
                " supported.",
            )


def _is_proxy(text: str) -> bool:
    url = split_address(text if "://" in text else f"http://{text}")
    has_more = bool(url.path.strip("/") or url.query or url.fragment)
    is_host = bool(url.hostname) and url.port != 0 and not has_more
    return url.scheme in ("http", "https") and is_host
