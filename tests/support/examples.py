"""How many examples the property tests try."""

import os

VARIABLE = "KEYVIGIL_TEST_EXAMPLES"
_TIMES = int(os.environ.get(VARIABLE) or 0)


def examples(ordinary: int) -> int:
    """Return so many, and as many times more as KEYVIGIL_TEST_EXAMPLES says."""
    return ordinary * max(1, _TIMES)


def is_ordinary_run() -> bool:
    """Whether the examples are the same each time; else they are drawn again."""
    return not _TIMES
