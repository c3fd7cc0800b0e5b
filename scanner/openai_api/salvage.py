"""JSON that the models reject -> its valid records and fields, and why the rest is invalid.

An invalid field is dropped alone; a record without a usable id is counted as lost.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_DEEPEST: Final = 20
_PARSED_DEPTH: Final = 100
_LONGEST_NUMBER: Final = 30
_MOST_FIELDS: Final = 1_000
_MILLISECONDS: Final = 1_000_000_000_000
_IDS: Final = frozenset({"id", "start_time"})
"""Fields that identify a record, or the day of a bucket."""
_LISTS: Final = frozenset({"results"})
"""Lists of records inside a record."""
_TYPES: Final = {
    type(None): "is null",
    bool: "is a boolean",
    list: "is a list",
    dict: "is an object",
}
_TOO_DEEP: Final = {"nested": "too deeply"}

Model = TypeVar("Model", bound=BaseModel)


class MalformedBodyError(ValueError):
    """A body that does not match the API's specification; `is_torn`: not JSON, or truncated.

    `is_reported`: the body is an error, and this is its message.
    """

    def __init__(self, what: str, *, is_torn: bool = False, is_reported: bool = False) -> None:
        super().__init__(what)
        self.is_torn = is_torn
        self.is_reported = is_reported


class Salvaged(NamedTuple):
    """A salvaged record: the model, invalid fields by path, number of lost inner records."""

    item: Any
    invalid: Mapping[str, str]
    lost: int = 0


def read_json(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Parse a body; text that UTF-8 cannot encode becomes U+FFFD.

    Raise MalformedBodyError if it is not JSON.
    """
    text = body.decode("utf-8-sig", errors="replace")
    try:
        try:
            return _clean(json.loads(text, parse_int=_whole_number), 0)
        except RecursionError:
            return _clean(json.loads(_flattened(text), parse_int=_whole_number), 0)
    except ValueError as error:
        raise MalformedBodyError(f"it is not JSON: {error}", is_torn=True) from None


def salvage(raw: object, model: type[Model]) -> Salvaged | None:
    """Parse one record without its invalid fields; None if it has no usable id."""
    if not isinstance(raw, dict):
        return None
    invalid: dict[str, str] = {}
    lost = 0
    for _ in range(_MOST_FIELDS):
        try:
            item = model.model_validate_json(json.dumps(raw), strict=True)
        except ValidationError as error:
            flaws = error.errors(include_url=False)
        else:
            return Salvaged(item, invalid, lost)
        for flaw in flaws:
            path = flaw["loc"]
            if len(path) < 1 or path[0] in _IDS:
                return None
            if _is_inner_id(path):
                lost += 1
            elif flaw["type"] != "missing":
                invalid[_named(path)] = _what_is_wrong(flaw["input"], flaw["type"])
            _remove(raw, path)
    return None


def _is_inner_id(path: tuple[int | str, ...]) -> bool:
    """Return whether an inner record has no usable id, or is not a record."""
    if path[0] not in _LISTS:
        return False
    return path[2:] == () or path[2:] == ("api_key_id",)


def _named(path: tuple[int | str, ...]) -> str:
    """Return a field's path; for an item in a list of plain values, the path of the list."""
    parts = [part for n, part in enumerate(path) if isinstance(part, str) or path[n - 1] in _LISTS]
    return ".".join(map(str, parts))


def _remove(raw: dict[str, Any], path: tuple[int | str, ...]) -> None:
    """Remove a field; a record in a list is emptied instead, so that indexes stay the same."""
    if path[0] in _LISTS and len(path) > 1 and _is_inner_id(path):
        raw[str(path[0])][path[1]] = {}
        return
    names = list(path)
    while not isinstance(names[-1], str):
        names.pop()
    holder: Any = raw
    for name in names[:-1]:
        holder = holder[name]
    holder.pop(names[-1], None)


def _what_is_wrong(value: object, kind: str) -> str:
    """Describe an invalid value without repeating it: it may be a secret, or hostile."""
    if type(value) in _TYPES:
        return _TYPES[type(value)]
    if isinstance(value, str):
        wrong_type = "is text" if kind.endswith("_type") else "is not valid"
        return "is too long" if kind == "string_too_long" else wrong_type
    if kind == "string_type":
        return "is a number"
    if isinstance(value, float) and not kind.startswith("int"):
        return "is negative" if value < 0 else "is out of range"
    return _what_is_wrong_with(value) if isinstance(value, int) else "is not a whole number"


def _what_is_wrong_with(number: int) -> str:
    if number == 0:
        return "is 0"
    if number < 0:
        return "is negative"
    return "is in milliseconds or too large" if number >= _MILLISECONDS else "is out of range"


def _flattened(text: str) -> str:
    """Replace values nested deeper than Python can parse with null."""
    depth, kept, start = 0, [], 0
    for token in _BRACKETS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _PARSED_DEPTH:
                kept.append(text[start : token.start()])
        elif token[0] in "]}":
            if depth == _PARSED_DEPTH:
                kept.append("null")
                start = token.end()
            depth -= 1
    return "".join([*kept, text[start:]]) if depth < _PARSED_DEPTH else text[:start]


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _clean(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value)
    if depth > _DEEPEST and isinstance(value, dict | list):
        return _TOO_DEEP
    if isinstance(value, dict):
        return {_clean(name, depth): _clean(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value
