"""Types of settings: how their text is read, and their JSON Schemas for editors."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from scanner.addresses import holds_password, is_loopback, split_address
from scanner.database_address import PLACE, UnfitError, check_database_address
from scanner.durations import PATTERN, format_duration, parse_duration
from scanner.formats.registry import FORMATS
from scanner.path_template import PLACEHOLDERS, check_template
from scanner.schemas import (
    API_ADDRESS,
    LINE,
    NOT_ZERO,
    PROXY_ADDRESS,
    Schema,
    is_whole,
    one_or_more,
    text_of,
)
from scanner.schemas import template as template_of
from scanner.secret import Secret
from scanner.spelling import did_you_mean

Value_co = TypeVar("Value_co", covariant=True)
_USE_HTTPS: Final = "Use https, as in https://api.openai.com/v1; plain http is for loopback only."
_ELSEWHERE: Final = ("env:", "file:")


def _as_written(text: str, _folder: Path) -> str:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[Value_co]):
    """Reads one text, or each of several if it `is_many`; `types` are the accepted YAML types.

    `read` raises ValueError, a sentence without its subject (UnfitError adds advice). `beside`
    makes a path in the settings file relative to the working folder. `leaks` returns why the file
    must not contain a text; a text in the file must match `pattern` completely, if there is one.
    """

    read: Callable[[str], Any]
    word: str
    schema: Schema
    pattern: str = ""
    types: tuple[str, ...] = ("str",)
    is_many: bool = False
    is_by_format: bool = False
    is_switch: bool = False
    beside: Callable[[str, Path], str] = _as_written
    leaks: Callable[[str], str] = field(default=lambda _text: "")

    def value(self, texts: Sequence[str]) -> Value_co:
        """Return the value of the texts; raise ValueError."""
        read = [self.read(text) for text in texts]
        value: Value_co = tuple(read) if self.is_many else read[-1]  # type: ignore[assignment]
        return value


def prose() -> Kind[str | None]:
    """Take any text."""
    return Kind(read=_filled, word="NAME", **_shaped(LINE))


def choice(words: Iterable[str], of: Callable[[str], Any] = str, word: str = "WORD") -> Kind[Any]:
    """Take one of some words."""
    known = tuple(str(one) for one in words)

    def read(text: str) -> Any:  # noqa: ANN401 - the type that `of` returns
        if text.lower() not in known:
            raise ValueError(f"does not accept '{text}'{did_you_mean(text, known)}")
        return of(text.lower())

    pattern = "|".join(map(re.escape, known))
    return Kind(read=read, word=word, schema={"enum": list(known)}, pattern=pattern)


def many(one: Kind[Any]) -> Kind[tuple[Any, ...]]:
    """Take a list of a kind; a single value is a list of one."""
    return replace(one, schema=one_or_more(one.schema), is_many=True)


def policies() -> Kind[tuple[str, ...]]:
    """Take names of policies, or files."""

    def beside(text: str, folder: Path) -> str:
        is_file = text.endswith((".yaml", ".yml")) or "/" in text
        return beside_file(text, folder) if is_file else text

    one: Kind[str] = Kind(read=_filled, word="NAME|FILE", **_shaped(LINE), beside=beside)
    return many(one)


def outputs(
    formats: Collection[str] = FORMATS, placeholders: Collection[str] = PLACEHOLDERS
) -> Kind[tuple[str, ...]]:
    """Take reports as `FORMAT=PATH`; in the file as a mapping of formats to paths."""

    def read(text: str) -> str:
        name, equals, place = text.partition("=")
        if not equals or not place:
            raise UnfitError(f"{text} is not FORMAT=PATH", "Use, for example, html=report.html.")
        if name not in formats:
            raise ValueError(f"{text}: there is no format '{name}'{did_you_mean(name, formats)}")
        check_template(_filled(place), placeholders)
        return text

    def beside(text: str, folder: Path) -> str:
        name, _, place = text.partition("=")
        return text if place == "-" else f"{name}={beside_file(place, folder)}"

    return Kind(
        read=read,
        word="FORMAT=PATH",
        schema={
            "type": "object",
            "properties": dict.fromkeys(formats, text_of(template_of(placeholders))),
            "additionalProperties": False,
            "minProperties": 1,
        },
        is_many=True,
        is_by_format=True,
        beside=beside,
    )


def whole(least: int, most: int) -> Kind[int]:
    """Take a whole number within bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= float(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most:,}")
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Kind(read=read, word="NUMBER", schema=schema, types=("int",))


def number(least: float, most: float, word: str) -> Kind[Any]:
    """Take a number within bounds; `word` is its unit."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise ValueError(f"must be a number of {word.lower()} from {least:g} to {most:,.0f}")
        return value

    schema = {"type": "number", "minimum": least, "maximum": most}
    return Kind(read=read, word=word, schema=schema, types=("int", "float"))


def duration(least: timedelta, most: timedelta) -> Kind[timedelta]:
    """Take a duration within bounds, such as 400d."""

    def read(text: str) -> timedelta:
        value = parse_duration(text)
        if value is None or not least <= value <= most:
            bounds = f"from {format_duration(least)} to {format_duration(most)}"
            raise ValueError(f"must be a duration {bounds}, such as 400d or 52w")
        return value

    pattern = f"{NOT_ZERO}{PATTERN}"
    return Kind(read=read, word="DURATION", **_shaped(pattern))


def switch() -> Kind[bool]:
    """Take yes or no."""
    words = {"true": True, "1": True, "yes": True, "on": True}
    words |= {"false": False, "0": False, "no": False, "off": False}

    def read(text: str) -> bool:
        if text.lower() not in words:
            raise ValueError("must be true or false")
        return words[text.lower()]

    return Kind(read=read, word="", schema={"type": "boolean"}, types=("bool",), is_switch=True)


def api_address() -> Kind[str]:
    """Take the API's address: https, or http on loopback; without a slash at its end."""

    def read(text: str) -> str:
        url = split_address(text.strip())
        problem = ""
        if url.scheme not in ("https", "http") or not url.hostname:
            problem = "is not an https address"
        elif set("?#@ ") & set(text.strip()):
            problem = "must be an address and a path, without user, query or fragment"
        elif url.scheme == "http" and not is_loopback(url.hostname):
            problem = "is plain http, which would send the admin key unencrypted"
        if problem:
            raise UnfitError(problem, _USE_HTTPS)
        return text.strip().rstrip("/")

    return Kind(read=read, word="URL", **_shaped(API_ADDRESS))


def proxy() -> Kind[Secret | None]:
    """Take a proxy's address; in the settings file without user and password."""

    def read(text: str) -> Secret:
        url = split_address(text.strip())
        is_bare = not url.path.strip("/") and not url.query and not url.fragment
        if url.scheme not in ("http", "https") or not url.hostname or not is_bare:
            raise ValueError("is not a valid proxy address, such as http://proxy.example.com:3128")
        return Secret(text.strip())

    def leaks(text: str) -> str:
        return (
            "contains a user or a password, which must not be in this file: put the whole address"
            " into KEYVIGIL_PROXY and remove it here"
            if "@" in text
            else ""
        )

    return Kind(read=read, word="URL", leaks=leaks, **_shaped(PROXY_ADDRESS))


def path() -> Kind[Path | None]:
    """Take the path of a file to read."""
    one: Kind[Any] = prose()
    return replace(one, read=lambda text: Path(_filled(text)), word="FILE", beside=beside_file)


def template(placeholders: Collection[str] = PLACEHOLDERS) -> Kind[Path | None]:
    """Take the path of a file to write, with placeholders."""

    def read(text: str) -> Path:
        check_template(_filled(text), placeholders)
        return Path(text)

    pattern = template_of(placeholders)
    return Kind(read=read, word="PATH", beside=beside_file, **_shaped(pattern))


def place() -> Kind[Secret | None]:
    """Take the history's location: a Secret, as a database's address can contain a password."""

    def beside(text: str, folder: Path) -> str:
        is_no_path = text == "none" or "://" in text or text.startswith(_ELSEWHERE)
        return text if is_no_path else beside_file(text, folder)

    def leaks(text: str) -> str:
        return (
            "contains a password, which must not be in this file: put the whole address into"
            " KEYVIGIL_STORE, or name its source with 'url_env: NAME' or 'url_file: PATH'"
            if holds_password(text)
            else ""
        )

    def read(text: str) -> Secret:
        if text in _ELSEWHERE:
            raise UnfitError(f"has no name or path after {text}", "Use env:NAME or file:PATH.")
        way, _, where = text.partition(":")
        if way == "env":
            if not is_whole("[A-Za-z_][A-Za-z0-9_]*", where):
                raise UnfitError(
                    "has no valid variable name after env:", "Use env:NAME or file:PATH."
                )
        else:
            check_database_address(where if way == "file" else text, is_file=way == "file")
        return Secret(_filled(text))

    return Kind(
        read=read,
        word="FILE|URL|none",
        **_shaped(PLACE),
        beside=beside,
        leaks=leaks,
    )


def _shaped(pattern: str) -> dict[str, Any]:
    return {"pattern": pattern, "schema": text_of(pattern)}


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if not is_whole(LINE, text):
        raise ValueError("contains an invisible character")
    return text


def beside_file(text: str, folder: Path) -> str:
    """Return a path in a settings file relative to the working folder; `folder` is the file's."""
    return text if text.startswith("~") else str(folder / text)
