"""The listings that a scan can collect."""

from enum import StrEnum
from typing import Final


class Collection(StrEnum):
    """A listing of the Administration API, named by its last path segment."""

    PROJECTS = "projects"
    USERS = "users"
    ADMIN_KEYS = "admin_api_keys"
    PROJECT_KEYS = "api_keys"
    SERVICE_ACCOUNTS = "service_accounts"
    USAGE = "usage"
    COSTS = "costs"
    AUDIT_LOGS = "audit_logs"


OPTIONAL: Final = (Collection.USAGE, Collection.COSTS, Collection.AUDIT_LOGS)
"""The listings that need their own scope, and that a scan collects only if needed."""
READ_SCOPE: Final = "api.management.read"
WRITE_SCOPE: Final = "api.management.write"
SCOPES: Final = {
    **dict.fromkeys(Collection, READ_SCOPE),
    Collection.USAGE: "api.usage.read",
    Collection.COSTS: "api.usage.read",
    Collection.AUDIT_LOGS: "api.audit_logs.read",
}
"""The scope that an admin key needs for each listing."""
