"""Optional deviations of the sandbox from the API's usual behaviour."""

from enum import StrEnum


class Quirk(StrEnum):
    """A deviation that was observed in the API, or that its specification allows."""

    MISLABELLED = "mislabelled-admin-keys"
    """The listing of admin keys also contains the first project's keys."""
    OLD_DELETE = "old-delete"
    """A service account's key cannot be deleted."""
    NAMELESS = "nameless"
    """Responses do not name the organization."""
    SPARSE = "sparse"
    """Responses omit all fields that OpenAI's specification does not require."""
