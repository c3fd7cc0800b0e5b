"""What a walk can list."""

from enum import StrEnum
from typing import Final


class Collection(StrEnum):
    """What the Administration API lists, by the name of its last path segment."""

    PROJECTS = "projects"
    USERS = "users"
    ADMIN_KEYS = "admin_api_keys"
    PROJECT_KEYS = "api_keys"
    SERVICE_ACCOUNTS = "service_accounts"
    USAGE = "usage"
    COSTS = "costs"
    AUDIT_LOGS = "audit_logs"


OPTIONAL: Final = (Collection.USAGE, Collection.COSTS, Collection.AUDIT_LOGS)
"""What needs a scope of its own, and what no scan asks for unless it is wanted."""
READ_SCOPE: Final = "api.management.read"
WRITE_SCOPE: Final = "api.management.write"
SCOPES: Final = {
    **dict.fromkeys(Collection, READ_SCOPE),
    Collection.USAGE: "api.usage.read",
    Collection.COSTS: "api.usage.read",
    Collection.AUDIT_LOGS: "api.audit_logs.read",
}
"""What an admin key must be allowed to, for each collection."""
