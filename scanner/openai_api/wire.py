"""The Administration API's JSON as typed models: what is promised is checked, the rest ignored.

Source: the official SDK's `openai/types/admin` and OpenAI's OpenAPI document. Where they differ
both are accepted: a field that one of them lacks is optional here.
"""

import json
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_YEAR_9999: Final = 253_402_300_799


UNTOLD: Final = -1
"""A date that the answer left out: absent is not the same as null."""

Id = Annotated[str, Field(pattern=r"^([^.]|\.[^.]|\.\.[^.]|\.\.\.)")]
"""Not empty, and not `.` or `..`, which would lead a request elsewhere."""
Timestamp = Annotated[int, Field(ge=0, le=_YEAR_9999)]
"""Unix seconds."""


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class WireProject(_Wire):
    """`organization.project`."""

    id: Id
    created_at: Timestamp
    name: str | None = None
    status: str | None = None
    archived_at: Timestamp | None = None


class WireUserDetails(_Wire):
    """The `user` inside an `organization.user`."""

    email: str | None = None
    name: str | None = None
    enabled: bool | None = None
    banned: bool | None = None
    banned_at: Timestamp | None = None


class WireUser(_Wire):
    """`organization.user`."""

    id: Id
    email: str | None = None
    name: str | None = None
    role: str | None = None
    user: WireUserDetails | None = None


class WireServiceAccount(_Wire):
    """`organization.project.service_account`."""

    id: Id


class WireKeyOwnerEntry(_Wire):
    """The person or service account inside a project key's owner."""

    id: Id
    name: str | None = None
    email: str | None = None
    role: str | None = None


class WireKeyOwner(_Wire):
    """A project key's owner: `type` says which of the two is filled."""

    type: str | None = None
    user: WireKeyOwnerEntry | None = None
    service_account: WireKeyOwnerEntry | None = None


class WireProjectKey(_Wire):
    """`organization.project.api_key`."""

    id: Id
    name: str | None
    redacted_value: str
    created_at: Timestamp
    last_used_at: Timestamp | None = UNTOLD
    expires_at: Timestamp | None = UNTOLD
    owner_project_access: str | None = None
    owner: WireKeyOwner


class WireAdminKeyOwner(_Wire):
    """An admin key's owner; the SDK promises none of its fields."""

    id: Id | None = None
    type: str | None = None
    object: str | None = None
    name: str | None = None
    role: str | None = None


class WireAdminKey(_Wire):
    """`organization.admin_api_key`."""

    id: Id
    name: str | None = None
    redacted_value: str
    created_at: Timestamp
    last_used_at: Timestamp | None = UNTOLD
    expires_at: Timestamp | None = UNTOLD
    owner: WireAdminKeyOwner


Item = TypeVar("Item", WireProject, WireUser, WireServiceAccount, WireProjectKey, WireAdminKey)


class Page(_Wire, Generic[Item]):
    """One page of a listing; `has_more` None: not told, so the next page must be asked for."""

    data: tuple[Item, ...]
    has_more: bool | None = None
    last_id: str | None = None

    def cursor(self) -> str | None:
        """Return what to pass as `after` for the next page, or None if this was the last."""
        if self.has_more is False or not self.data:
            return None
        return self.last_id or self.data[-1].id


class MalformedBodyError(ValueError):
    """A body that is not what the API promises; says in which item and field."""


def parse_page(body: bytes, page: type[Page[Item]]) -> Page[Item]:
    """Read one page; raise MalformedBodyError naming the first item and field that is wrong."""
    try:
        return page.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise MalformedBodyError(_explain(body, first["loc"], first["msg"])) from None


def _explain(body: bytes, place: tuple[int | str, ...], message: str) -> str:
    """Say where in the body the mistake stands: `key_abc: owner.type: Input should be ...`."""
    match place:
        case ("data", int(index), *rest):
            item = _id_of(body, index) or f"item {index}"
        case rest:
            item = ""
    field = ".".join(str(part) for part in rest)
    return ": ".join(part for part in (item, field, message) if part)


def _id_of(body: bytes, index: int) -> str | None:
    """Return the id of an item of a body that parses as JSON, if it has one."""
    try:
        item: Any = json.loads(body)["data"][index]
    except (RecursionError, ValueError):
        return None
    found = item.get("id") if isinstance(item, dict) else None
    return found if isinstance(found, str) else None
