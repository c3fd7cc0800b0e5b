"""The Administration API's JSON as typed models: what is promised is checked, the rest ignored.

Source: the official SDK's `openai/types/admin` and OpenAI's OpenAPI document. Where they differ
both are accepted: a field that one of them lacks is optional here.
"""

import json
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

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


class WireAmount(_Wire):
    """A sum of money; the API has been seen to send the number as a string."""

    value: Annotated[float, Field(strict=False)] | None = None
    currency: str | None = None


class WireUsageResult(_Wire):
    """What one key did or cost in one bucket, whichever of the usage endpoints tells it."""

    api_key_id: str | None = None
    num_model_requests: int | None = None
    num_requests: int | None = None
    amount: WireAmount | None = None


class WireBucket(_Wire):
    """`bucket`: one day of usage or costs."""

    start_time: Timestamp
    results: tuple[WireUsageResult, ...]

    @property
    def id(self) -> str:
        """What tells this bucket from others of its listing."""
        return str(self.start_time)


class WireActorEntry(_Wire):
    """A person or a service account who did something."""

    id: str | None = None
    email: str | None = None


class WireActorSession(_Wire):
    """A person at the dashboard."""

    user: WireActorEntry | None = None


class WireActorKey(_Wire):
    """Whoever holds a key."""

    id: str | None = None
    user: WireActorEntry | None = None
    service_account: WireActorEntry | None = None


class WireActor(_Wire):
    """Who did something: `session` or `api_key` is filled."""

    session: WireActorSession | None = None
    api_key: WireActorKey | None = None


class WireEventData(_Wire):
    """What a key was given."""

    scopes: tuple[str, ...] | None = None


class WireEventDetails(_Wire):
    """The object of an event and what was asked for."""

    id: str | None = None
    data: WireEventData | None = None
    changes_requested: WireEventData | None = None


class WireAuditEvent(_Wire):
    """`organization.audit_log`, of the kinds that tell something about a key."""

    id: Id
    type: str
    effective_at: Timestamp
    actor: WireActor | None = None
    key_created: WireEventDetails | None = Field(default=None, alias="api_key.created")
    key_updated: WireEventDetails | None = Field(default=None, alias="api_key.updated")
    account_created: WireEventDetails | None = Field(default=None, alias="service_account.created")


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


class Page(_Wire, Generic[Item]):
    """One page of a listing; `has_more` None: not told, so the next page must be asked for."""

    data: tuple[Item, ...]
    has_more: bool | None = None
    last_id: str | None = None

    cursor_parameter: ClassVar[str] = "after"

    def cursor(self) -> str | None:
        """Return what to pass as `after` for the next page, or None if this was the last."""
        if self.has_more is False or not self.data:
            return None
        return self.last_id or self.data[-1].id


class BucketPage(Page[WireBucket]):
    """One page of usage or costs, which are paged by a cursor of their own."""

    next_page: str | None = None

    cursor_parameter: ClassVar[str] = "page"

    def cursor(self) -> str | None:
        """Return what to pass as `page` for the next page, or None if this was the last."""
        return self.next_page if self.has_more is not False else None


class MalformedBodyError(ValueError):
    """A body that is not what the API promises; says in which item and field."""


def parse_page(body: bytes, page: type[Page[Item]]) -> Page[Item]:
    """Read one page; raise MalformedBodyError naming the first item and field that is wrong."""
    try:
        return page.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise MalformedBodyError(_explain(body, first["loc"], first["msg"])) from None


Thing = TypeVar("Thing", WireUser, WireServiceAccount, WireProjectKey, WireAdminKey)


def parse_one(body: bytes, kind: type[Thing]) -> Thing:
    """Read one object that is no page; raise MalformedBodyError naming the field that is wrong."""
    try:
        return kind.model_validate_json(body)
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
