"""A small grammar for JSON: each check adds to a list what it finds wrong, in Slack's words."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

Check = Callable[[Any, str, list[str]], None]
"""Takes a value, its JSON pointer, and the list of what was found wrong."""

SCHEMES: Final = frozenset({"http", "https", "mailto", "slack"})
NOTHING: Final[Mapping[str, Check]] = {}


def complain(found: list[str], what: str, at: str) -> None:
    found.append(f"{what} [json-pointer:{at}]")


def string(most: int, least: int = 1) -> Check:
    """A string of `least` to `most` characters."""

    def check(value: Any, at: str, found: list[str]) -> None:
        if not isinstance(value, str):
            complain(found, "must be a string", at)
        elif len(value) < least:
            complain(found, f"must be more than {least - 1} characters", at)
        elif len(value) > most:
            complain(found, f"must be less than {most + 1} characters", at)

    return check


def url(most: int = 3000) -> Check:
    """An absolute address without blanks, of at most `most` characters."""
    is_string = string(most)

    def check(value: Any, at: str, found: list[str]) -> None:
        before = len(found)
        is_string(value, at, found)
        if len(found) == before and not _is_address(value):
            complain(found, "must be a valid URL", at)

    return check


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    has_place = bool(parts.netloc if parts.scheme.startswith("http") else parts.path)
    return parts.scheme in SCHEMES and has_place and not any(map(str.isspace, value))


def choice(*allowed: str) -> Check:
    """One of some strings."""

    def check(value: Any, at: str, found: list[str]) -> None:
        if value not in allowed:
            complain(found, f"must be one of {', '.join(allowed)}", at)

    return check


def boolean(value: Any, at: str, found: list[str]) -> None:
    """True or false."""
    if not isinstance(value, bool):
        complain(found, "must be a boolean", at)


def number(most: int, least: int = 0) -> Check:
    """A whole number within bounds."""

    def check(value: Any, at: str, found: list[str]) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            complain(found, f"must be an integer from {least} to {most}", at)

    return check


def array(item: Check, most: int, least: int = 1) -> Check:
    """A list of `least` to `most` items."""

    def check(value: Any, at: str, found: list[str]) -> None:
        if not isinstance(value, list):
            complain(found, "must be an array", at)
            return
        if len(value) < least:
            complain(found, f"no less than {least} items required", at)
        if len(value) > most:
            complain(found, f"no more than {most} items allowed", at)
        for place, one in enumerate(value):
            item(one, f"{at}/{place}", found)

    return check


def record(
    required: Mapping[str, Check], optional: Mapping[str, Check] = NOTHING, *, typed: bool = True
) -> Check:
    """An object with exactly these keys, and `type` where it is typed."""
    checks = {**required, **optional}
    known = {*checks, "type"} if typed else set(checks)

    def check(value: Any, at: str, found: list[str]) -> None:
        if not isinstance(value, dict):
            complain(found, "must provide an object", at)
            return
        for name in required.keys() - value.keys():
            complain(found, f"missing required field: {name}", at)
        for name in value.keys() - known:
            complain(found, f"invalid additional property: {name}", at)
        for name in checks.keys() & value.keys():
            checks[name](value[name], f"{at}/{name}", found)

    return check


def one_of(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` says which check it has to pass."""

    def check(value: Any, at: str, found: list[str]) -> None:
        if not isinstance(value, dict):
            complain(found, "must provide an object", at)
            return
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in kinds:
            complain(found, f"unsupported type: {kind}", f"{at}/type")
            return
        kinds[kind](value, at, found)

    return check
