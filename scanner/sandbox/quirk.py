"""How the sandbox can answer otherwise than usual."""

from enum import StrEnum


class Quirk(StrEnum):
    """A way in which the API has been seen to answer, or may answer, otherwise than usual."""

    MISLABELLED = "mislabelled-admin-keys"
    """The listing of admin keys holds the first project's keys, too."""
    OLD_DELETE = "old-delete"
    """A service account's key cannot be deleted."""
    NAMELESS = "nameless"
    """No answer says which organization it is of."""
    SPARSE = "sparse"
    """What OpenAI's document does not promise is left out of answers."""
