"""How many examples the property tests try."""

import os

VARIABLE = "KEYVIGIL_TEST_EXAMPLES"
_WANTED = os.environ.get(VARIABLE)


def examples(ordinary: int) -> int:
    """Return what KEYVIGIL_TEST_EXAMPLES says, or so many as in an ordinary run."""
    return int(_WANTED) if _WANTED else ordinary


def is_ordinary_run() -> bool:
    """Whether the examples are the same each time; else they are drawn again."""
    return not _WANTED
