"""Regular expressions in policies: RE2, whose time is linear in the length of the text."""

from typing import Any

import re2


def compile_expression(text: str) -> Any:  # noqa: ANN401 - re2 ships no types
    """Compile a regular expression; raise ValueError with the reason if it is not valid."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
