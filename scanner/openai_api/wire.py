"""The Administration API's JSON as typed models: known fields are validated, others ignored.

Source: the official SDK's `openai/types/admin` and OpenAI's OpenAPI specification. Where they
differ, both are accepted. Any field except the id may be missing, and is then Unknown.
"""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

_YEAR_2015: Final = 1_420_070_400
"""OpenAI was founded in this year, so its API has no earlier date."""
_YEAR_9999: Final = 253_402_300_799


MISSING: Final = -1
"""A date missing from the response: absent is not the same as null."""

Id = Annotated[
    str,
    Field(
        pattern="^([^.\ufffd]|\\.[^.\ufffd]|\\.\\.[^.\ufffd]|\\.\\.\\.)[^\ufffd]*$", max_length=500
    ),
]
"""Text that UTF-8 can encode; not `.` or `..`, which would change the path of a request."""
Timestamp = Annotated[int, Field(ge=_YEAR_2015, le=_YEAR_9999)]
"""Unix seconds."""
Text = Annotated[str, Field(max_length=2_000)]
Money = Annotated[
    Decimal, Field(strict=False, allow_inf_nan=False, ge=0, le=10**12, decimal_places=50)
]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Wire(BaseModel):
    """The settings of all wire models."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class WireProject(Wire):
    """`organization.project`."""

    id: Id
    created_at: Timestamp = MISSING
    name: Text | None = None
    status: Text | None = None
    archived_at: Timestamp | None = None


class WireUserDetails(Wire):
    """The `user` inside an `organization.user`."""

    email: Text | None = None
    name: Text | None = None
    enabled: bool | None = None
    banned: bool | None = None
    banned_at: Timestamp | None = None


class WireUser(Wire):
    """`organization.user`; `api_key_last_used_at` includes keys that are not listed."""

    id: Id
    email: Text | None = None
    name: Text | None = None
    role: Text | None = None
    user: WireUserDetails | None = None
    api_key_last_used_at: Timestamp | None = MISSING


class WireServiceAccount(Wire):
    """`organization.project.service_account`."""

    id: Id
    name: Text | None = None


class WireKeyOwnerEntry(Wire):
    """The person or service account inside a project key's owner."""

    id: Id | None = None
    name: Text | None = None
    email: Text | None = None
    role: Text | None = None


class WireKeyOwner(Wire):
    """A project key's owner: `type` names which of the two others is set."""

    type: Text | None = None
    user: WireKeyOwnerEntry | None = None
    service_account: WireKeyOwnerEntry | None = None


class WireProjectKey(Wire):
    """`organization.project.api_key`."""

    id: Id
    name: Text | None = None
    redacted_value: Text = ""
    created_at: Timestamp = MISSING
    last_used_at: Timestamp | None = MISSING
    expires_at: Timestamp | None = MISSING
    owner_project_access: Text | None = None
    owner: WireKeyOwner | None = None


class WireAdminKeyOwner(Wire):
    """An admin key's owner; all fields are optional in the SDK."""

    id: Id | None = None
    type: Text | None = None
    object: Text | None = None
    name: Text | None = None
    role: Text | None = None


class WireAdminKey(Wire):
    """`organization.admin_api_key`."""

    id: Id
    name: Text | None = None
    redacted_value: Text = ""
    created_at: Timestamp = MISSING
    last_used_at: Timestamp | None = MISSING
    expires_at: Timestamp | None = MISSING
    owner: WireAdminKeyOwner | None = None


class WireAmount(Wire):
    """An amount of money; the API sometimes sends the number as a string."""

    value: Money | None = None
    currency: Text | None = None


class WireUsageResult(Wire):
    """Usage or costs of one key in one bucket, for all usage endpoints."""

    api_key_id: Text | None = None
    num_model_requests: Count | None = None
    num_requests: Count | None = None
    amount: WireAmount | None = None


class WireBucket(Wire):
    """`bucket`: one day of usage or costs."""

    start_time: Timestamp
    results: tuple[WireUsageResult, ...] = ()

    @property
    def id(self) -> str:
        """The bucket's id within its listing."""
        return str(self.start_time)


class WireActorEntry(Wire):
    """A user or service account that performed an action."""

    id: Text | None = None
    email: Text | None = None


class WireActorSession(Wire):
    """A user in the dashboard."""

    user: WireActorEntry | None = None


class WireActorKey(Wire):
    """The holder of a key."""

    id: Text | None = None
    user: WireActorEntry | None = None
    service_account: WireActorEntry | None = None


class WireActor(Wire):
    """The actor of an event: `session` or `api_key` is set."""

    session: WireActorSession | None = None
    api_key: WireActorKey | None = None


class WireEventData(Wire):
    """The scopes set on a key."""

    scopes: tuple[str, ...] | None = None


class WireEventDetails(Wire):
    """The object of an event and the requested change."""

    id: Text | None = None
    data: WireEventData | None = None
    changes_requested: WireEventData | None = None


class WireAuditEvent(Wire):
    """`organization.audit_log`: events about a key or its owner."""

    id: Id
    type: Text = ""
    effective_at: Timestamp = MISSING
    actor: WireActor | None = None
    key_created: WireEventDetails | None = Field(default=None, alias="api_key.created")
    key_updated: WireEventDetails | None = Field(default=None, alias="api_key.updated")
    account_created: WireEventDetails | None = Field(default=None, alias="service_account.created")
    user_deleted: WireEventDetails | None = Field(default=None, alias="user.deleted")
