"""Pages of listings, and single objects, read from the bodies of responses.

A page that the models accept is parsed in one step; any other is salvaged record by record.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Final, Generic, NamedTuple, TypeVar

from pydantic import FailFast, PrivateAttr, ValidationError

from scanner.openai_api.salvage import MalformedBodyError, read_json, salvage
from scanner.openai_api.wire import (
    Wire,
    WireAdminKey,
    WireAuditEvent,
    WireBucket,
    WireProject,
    WireProjectKey,
    WireServiceAccount,
    WireUser,
)

Item = TypeVar(
    "Item",
    WireProject,
    WireUser,
    WireServiceAccount,
    WireProjectKey,
    WireAdminKey,
    WireBucket,
    WireAuditEvent,
)


class Page(Wire, Generic[Item]):
    """One page of a listing; `has_more` None: missing, so the next page must be requested.

    A page with an error beside its records counts as incomplete, even if `has_more` is false.
    """

    data: Annotated[tuple[Item, ...], FailFast()]
    has_more: bool | None = None
    last_id: str | None = None
    error: None = None

    cursor_parameter: ClassVar[str] = "after"
    _invalid: dict[str, Mapping[str, str]] = PrivateAttr(default_factory=dict)
    _lost: int = PrivateAttr(default=0)

    @property
    def invalid(self) -> Mapping[str, Mapping[str, str]]:
        """The invalid fields: reasons by the record's id and the field's path."""
        return self._invalid

    @property
    def lost(self) -> int:
        """The number of records without a usable id."""
        return self._lost

    @property
    def is_empty(self) -> bool:
        """Whether the page has no records."""
        return not self.data and not self._lost

    def cursor(self) -> str | None:
        """Return what to pass as `after` for the next page, or None if this was the last."""
        if self.has_more is False or self.is_empty:
            return None
        return self.last_id or (self.data[-1].id if self.data else None)


class BucketPage(Page[WireBucket]):
    """One page of usage or costs, which have their own kind of cursor."""

    next_page: str | None = None

    cursor_parameter: ClassVar[str] = "page"

    def cursor(self) -> str | None:
        """Return what to pass as `page` for the next page, or None if this was the last."""
        return self.next_page if self.has_more is not False else None


_MESSAGES: Final = (
    *("error", "errors", "title", "message", "msg", "detail", "error_description", "description"),
    *("reason", "fault", "faultstring"),
)


class Record(NamedTuple, Generic[Item]):
    """One object, not in a page, and its invalid fields."""

    item: Item
    invalid: Mapping[str, str]


def parse_page(body: bytes, page: type[Page[Item]]) -> Page[Item]:
    """Parse one page: its valid records, without their invalid fields.

    Raise MalformedBodyError if the body is not a page.
    """
    try:
        return page.model_validate_json(body)
    except ValidationError:
        return _salvaged_page(read_json(body), page)


def parse_one(body: bytes, kind: type[Item]) -> Record[Item]:
    """Parse one object without its invalid fields; raise MalformedBodyError without an id."""
    try:
        return Record(kind.model_validate_json(body), {})
    except ValidationError:
        raw = read_json(body)
    found = salvage(raw, kind)
    if found is None:
        raise _not_that(raw, "it is not an object with an id")
    return Record(found.item, found.invalid)


def message_of(body: object) -> str:
    """Return the message in the body of an error of any form, or ""."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return _joined("; ", map(message_of, body))
    if not isinstance(body, dict):
        return ""
    fields = {name.lower(): value for name, value in body.items()}
    named = [fields[name] for name in _MESSAGES if name in fields]
    inner = (message_of(value) for value in body.values() if isinstance(value, dict))
    message = _joined(": ", (message_of(one) or texts_of(one) for one in named))
    return message or _joined(": ", inner)


def texts_of(body: object) -> str:
    """Return all text in a body that is known to be an error, or ""."""
    if isinstance(body, dict | list):
        return _joined(": ", map(texts_of, body.values() if isinstance(body, dict) else body))
    return body if isinstance(body, str) else ""


def _joined(separator: str, texts: Iterable[str]) -> str:
    return separator.join(dict.fromkeys(filter(None, texts)))


def _not_that(raw: object, otherwise: str) -> MalformedBodyError:
    message = message_of(raw)
    return MalformedBodyError(message or otherwise, is_reported=bool(message))


def _salvaged_page(raw: object, page: type[Page[Item]]) -> Page[Item]:
    if not isinstance(raw, dict) or not isinstance(raw.get("data"), list) or raw.get("error"):
        raise _not_that(raw, "data: it is not a list of records")
    kind: type[Item] = page.model_fields["data"].annotation.__args__[0]  # type: ignore[union-attr]
    envelope = {name: value for name, value in raw.items() if name != "data"}
    found = [salvage(record, kind) for record in raw["data"]]
    kept = [one for one in found if one is not None]
    whole = salvage({"data": [], **envelope}, page)
    if whole is None:
        raise MalformedBodyError("it is not a page of records")
    read: Page[Item] = whole.item.model_copy(update={"data": tuple(one.item for one in kept)})
    for one in kept:
        read._invalid.setdefault(one.item.id, one.invalid)  # noqa: SLF001 - a page created here
    read._lost = len(found) - len(kept) + sum(one.lost for one in kept)  # noqa: SLF001
    return read
