"""Values that are never printed, and a mask for secrets that got into text anyway."""

import hashlib
import hmac
import re
from typing import Final, NoReturn

MASK: Final = "***"

_SECRET_SHAPES: Final = (
    (re.compile(r"sk-(?:admin|proj|svcacct)-[A-Za-z0-9_-]{8,}"), f"sk-{MASK}"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"), f"sk-{MASK}"),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{8,}"), f"xox-{MASK}"),
    (re.compile(r"\bxapp-[A-Za-z0-9-]{8,}"), f"xapp-{MASK}"),
    (re.compile(r"(https://hooks\.slack\.com/)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{MASK}"),
)
_MAY_HOLD_ONE: Final = re.compile(
    r"[sxhbB](?:k-(?:(?:admin|proj|svcacct)-[A-Za-z0-9_-]{8}|[A-Za-z0-9_-]{16})"
    r"|ox|app|ooks\.slack|(?i:earer))"
)
"""A fast pre-check: the class of first letters lets the search skip all other characters."""


_HIDDEN: Final = re.compile(r"\.{2,}|\*+|\u2026|\u2022+")


class Secret:
    """A string that renders as `***` everywhere; only `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself, for the code that sends it."""
        return self._value

    def digest(self) -> str:
        """Return 8 hexadecimal digits of a hash, which distinguish it without revealing it."""
        return hashlib.sha256(self._value.encode()).hexdigest()[:8]

    def may_be(self, redacted: str) -> bool:
        """Whether this may be the key with the redacted value `sk-admin-Ab3d...9xYz`."""
        shown = _HIDDEN.split(redacted)
        if len(shown) == 1:
            return True  # no mark shows which part is hidden
        return self._value.startswith(shown[0]) and self._value.endswith(shown[-1])

    def mask(self, text: str) -> str:
        """Return `text` with the secret itself masked."""
        return text.replace(self._value, MASK) if self._value else text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialized")


def redact(text: str) -> str:
    """Mask texts that look like an OpenAI key, a Slack token or a bearer token.

    Redacted values as the API returns them (`sk-proj-Ab3d...9xYz`) are not changed.
    """
    if not _MAY_HOLD_ONE.search(text):
        return text
    for shape, mask in _SECRET_SHAPES:
        text = shape.sub(mask, text)
    return text
