"""Access to reports and metrics: by token if one is set, else by the Host header."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from scanner.errors import UsageError
from scanner.secret import Secret

TOKEN: Final = "KEYVIGIL_REPORTS_TOKEN"  # noqa: S105 - the name of a variable
_LEAST: Final = 16
"""The minimum length of a token, so that it cannot be guessed."""
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/\\\[\]?#]+))(?::[0-9]{1,5})?", re.ASCII)


class Access:
    """An optional token; `hosts` are the names of this server besides `localhost`."""

    def __init__(
        self, token: Secret, hosts: Iterable[str] = (), *, is_required: bool = False
    ) -> None:
        """Raise UsageError for a weak token, or a missing one if it `is_required`."""
        text = token.reveal()
        if (text or is_required) and (len(text) < _LEAST or not text.isascii()):
            raise UsageError(
                f"{TOKEN} {'is too short' if text else 'is not set'}, and the reports"
                " name people and keys.",
                help=f"Set it to at least {_LEAST} letters and digits, for example from"
                ' python3 -c "import secrets; print(secrets.token_urlsafe())".',
            )
        self._token = _digest(text) if text else None
        self._hosts = frozenset({"localhost", *map(_plain, hosts)})

    def allows(self, authorization: str) -> bool:
        """Whether an Authorization header has the token, as Bearer or Basic password.

        The comparison takes constant time.
        """
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(given.strip(), validate=True).decode()
            except ValueError:  # not base64, not ASCII, or not UTF-8
                return False
            given = decoded.partition(":")[2]
        elif scheme.lower() != "bearer":
            return False
        return self._token is not None and hmac.compare_digest(_digest(given.strip()), self._token)

    @property
    def has_token(self) -> bool:
        """Whether a token is set."""
        return self._token is not None

    def knows(self, host: str) -> bool:
        """Whether a Host header is an IP address or a name of this server.

        Other names are refused to prevent DNS rebinding by a web page.
        """
        match = _HOST.fullmatch(host.strip().lower())
        if match is None:
            return False
        if match[2] and _plain(match[2]) in self._hosts:
            return True
        try:
            return ip_address(match[1] or match[2]).version == (6 if match[1] else 4)
        except ValueError:
            return False


def _plain(name: str) -> str:
    return name.strip().lower().removesuffix(".")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
