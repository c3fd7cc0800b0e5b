"""Documents near the valid ones: to hold a JSON Schema against what reads the file."""

import copy
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

# fmt: off
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 5.0, 0.5, 100, 101, 128, 129, 3600, 100_000, 100_001, 10**12,
    "", " ", "\n", "a", " a", "a ", "a\n", "a\u0000b", "a\u200bb", "a\u0085b", "\u00e9",
    "\U0001f600", "0", "1", "5", "true", "false", "yes", "off", "null", "never", "none", "all",
    "HIGH", "high", "critical", "low", "info", "plan", "enforce", "silent", "summary", "needed",
    "costs", "users", "0d", "1d", "7d", "7d\n", " 7d", "1h", "23h", "1w 1d", "1d1d", "0w 0h",
    "366d", "99999999d", "10m", "1h 30m", " 5m", "1h ", "0s", "25h", "7h", "59s", "1d 5m",
    "30 2 * * *", "@daily", "@DAILY", "@never", "61 * * * *", "* * * *", "0 0 30 2 *",
    "a b c d e", "UTC", "Europe/Berlin", "Europe/Nowhere", "utc", "#security", "#", "C0123456789",
    "security", "#a b", "S0123456789", "S1", "S0123456789\n", "KEYVIGIL_WEBHOOK_URL", "key_env",
    "A B", "1A", "A\n", "a@example.com", "a@b@c", "a@b, c@d", "https://example.com",
    "https://example.com/a?b", "http://example.com", "https://", "ftp://x",
    "https://u:p@example.com", "https://example.com:99999", "https://example.com:65535/",
    "https://[::1]/", "https://[1:2]/", "http://127.0.0.1:1/v1", "http://localhost",
    "http://127.0.0.1.x", "https://x\n", "https://example.com/{date}/{scan_id}",
    "https://example.com/{x}", "https://\u00e4.com", "https://x y", "http://proxy:3128",
    "http://proxy:3128//", "http://proxy/x", "https://x/\u00e4", "https://[::ffff]",
    "out/{date}.html", "out/{organization}", "out/{nonsuch}", "{}", "{{date}", "}{", "-", "a=b",
    "postgresql://db/k", "postgresql://u:p@db/k", "postgresql://u@db", "x://y?PassWord=z", "env:",
    "env:A", "file:", "a:b@c", "history.db", "baseline", "./a.yaml", "owasp-nhi:NHI7", "NHI7",
    "a:b\n", "old", "new-rule", "New", "a-", "2027-01-31", "2027-02-29", "2028-02-29",
    "0000-01-01", "2027-1-1", "2027-01-31\n", "1900-02-29", "2000-02-29", "*", "prod-*", "[", "(",
    "^a$", "active", "user", "admin", "project", "expire", "delete", "restrict",
)
# fmt: on


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the path of every value."""
    yield at
    parts = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for name, value in parts:
        yield from places(value, (*at, name))


@st.composite
def near(draw: st.DrawFn, seeds: Sequence[Any], keys: Sequence[str]) -> Any:
    """Draw a valid document with up to three changes, each at one place."""
    document = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(places(document))))
        if not path:
            continue
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        _change(draw, holder, path[-1], keys, draw(st.sampled_from(seeds)))
    return document


def _change(draw: st.DrawFn, holder: Any, step: Any, keys: Sequence[str], other: Any) -> None:
    match draw(st.integers(0, 6)):
        case 0:
            del holder[step]
        case 1:
            holder[step] = draw(st.sampled_from(([], {}, [holder[step]], {"a": holder[step]})))
        case 2 if isinstance(holder, dict):
            holder[draw(st.sampled_from(keys))] = draw(st.sampled_from(SCALARS))
        case 3 if isinstance(holder, dict):
            holder[draw(st.sampled_from(keys))] = holder.pop(step)
        case 3:
            holder.append(copy.deepcopy(holder[step]))
        case 4:  # a part of another document
            holder[step] = _at(other, draw(st.sampled_from(list(places(other)))))
        case _:
            holder[step] = draw(st.sampled_from(SCALARS))


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return copy.deepcopy(document)


def words(schema: Any) -> set[str]:
    """Return every key that a schema knows."""
    if isinstance(schema, list):
        return set().union(*map(words, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set[str]()
    return own.union(*map(words, schema.values()))


def spelled(document: Any) -> str:
    """Return a document as YAML in which every value is spelled as JSON spells it."""
    text = json.dumps(document, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda match: _escaped(ord(match[0])), text)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
