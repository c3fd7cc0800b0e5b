"""Paths of reports with placeholders: `out/{date}/{organization}.html`. Pure."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from scanner.spelling import did_you_mean

PLACEHOLDERS: Final[Mapping[str, str]] = {
    "date": "the day on which the scan began, in UTC: 2026-11-24",
    "time": "the time of that day, in UTC: 020000",
    "scan_id": "the scan's id",
    "organization": "the organization's name, made safe for files",
}
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_LONGEST: Final = 60
_DIGEST: Final = 8


def check_template(text: str, known: Collection[str] = PLACEHOLDERS) -> None:
    """Raise ValueError, a sentence without its subject, for an unknown placeholder."""
    for name in _PLACEHOLDER.findall(text):
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"has an unknown placeholder {{{name}}}{hint}")


def fill(text: str, *, at: datetime, scan_id: str, organization: str) -> str:
    """Replace all placeholders of a template with the values of a scan."""
    values = {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H%M%S}", "scan_id": scan_id}
    return _filled(text, {**values, "organization": safe_name(organization)})


def of_organization(text: str, name: str) -> str:
    """Replace only the organization's name, which is known before a scan."""
    return _filled(text, {"organization": safe_name(name)})


def safe_name(name: str) -> str:
    """Return a name as one part of a path: letters, digits, dots and dashes, never hidden.

    If no character remains, return a hash of the name.
    """
    plain = unicodedata.normalize("NFC", name)
    safe = _UNSAFE.sub("-", plain)[:_LONGEST].strip("-.")
    if safe:
        return safe
    return hashlib.sha256(plain.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGEST]


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
