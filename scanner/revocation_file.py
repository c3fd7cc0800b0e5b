"""Parse the section `revocation` of keyvigil.yaml."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from scanner.durations import parse_duration
from scanner.policy.document import Items, Node, Scalar, truth, whole_number
from scanner.policy.problems import Problems
from scanner.revocation import Bounds, Mode
from scanner.spelling import did_you_mean

_MOST_KEYS: Final = 100_000
_PROTECTED: Final = ("keys", "projects", "owners")
_YEAR: Final = timedelta(days=365)


def parse_bounds(node: Node | None, problems: Problems) -> Bounds:
    """Parse the section; add every error to `problems`. Omitted keys keep their safe defaults."""
    if node is None:
        return Bounds()
    readers: Mapping[str, Callable[[Node, Problems], Any]] = {
        "mode": _mode,
        "max_keys": _max_keys,
        "max_percent": _max_percent,
        "min_age": _duration,
        "recent_use": _duration,
        "expire_in": _expiry,
        "stop_file": lambda value, at: at.text(value, "'stop_file'"),
        "admin_keys": lambda value, at: frozenset(_texts(value, "'admin_keys'", at)),
    }
    fields = problems.fields(
        node, "'revocation'", required=("mode",), optional=(*list(readers)[1:], "protect")
    )
    chosen = {
        word: read(fields[word], problems) for word, read in readers.items() if word in fields
    }
    if "protect" in fields:
        chosen |= _protected(fields["protect"], problems)
    return Bounds(**chosen)


def _protected(node: Node, problems: Problems) -> dict[str, tuple[str, ...]]:
    fields = problems.fields(node, "'protect'", required=(), optional=_PROTECTED)
    return {f"protected_{word}": _texts(one, f"'{word}'", problems) for word, one in fields.items()}


def _mode(node: Node, problems: Problems) -> Mode:
    word = node.text if isinstance(node, Scalar) else ""
    if word in tuple(Mode):
        return Mode(word)
    if truth(node) is None:
        problems.add(node, f"'{word}' is not a valid mode{did_you_mean(word, tuple(Mode))}")
    elif truth(node):
        problems.add(node, f"'mode': YAML parses {word} as bool; write \"off\", plan or enforce")
    return Mode.OFF  # YAML parses an unquoted off as false


def _max_keys(node: Node, problems: Problems) -> int:
    number = whole_number(node)
    if number is None or not 0 <= number <= _MOST_KEYS:
        problems.add(node, "'max_keys' must be an integer from 0 (no keys) to 100000 per day")
        return 0
    return number


def _max_percent(node: Node, problems: Problems) -> float:
    text = node.text if isinstance(node, Scalar) and node.type in ("int", "float") else ""
    try:
        percent = float(text)
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:  # noqa: PLR2004 - per cent
        problems.add(node, "'max_percent' must be a number from 0 (no keys) to 100")
        return 0
    return percent


def _duration(node: Node, problems: Problems) -> timedelta:
    duration = parse_duration(node.text) if isinstance(node, Scalar) else None
    if duration is None:
        problems.add(node, "a duration must be in weeks, days and hours, such as 7d or 24h")
        return _YEAR
    return duration


def _expiry(node: Node, problems: Problems) -> timedelta:
    duration = _duration(node, problems)
    if not timedelta(hours=1) <= duration <= _YEAR:
        problems.add(node, "'expire_in' must be from 1h to 365d")
    return duration


def _texts(node: Node, what: str, problems: Problems) -> tuple[str, ...]:
    if not isinstance(node, Items) or not node.items:
        problems.add(node, f"{what} must be a list with at least one entry")
        return ()
    return tuple(problems.text(item, f"an entry of {what}") for item in node.items)
