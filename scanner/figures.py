"""Amounts as texts, and the limits in the texts of conditions. Pure."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Final

from scanner.durations import parse_duration, shortened

_LIMIT: Final = re.compile(r"(?:not: )?(?:over|under|at least|at most|is|not) (.+)")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_CENTS: Final = 2


def format_amount(amount: Decimal, limit: Decimal | None = None, separator: str = "") -> str:
    """Format an amount: `100`, `100.40`, `0.004`; `,` as separator gives `1,234.50`.

    With a limit, use whole cents, or as many digits as needed to differ from it visibly.
    """
    if limit is not None:
        amount = shortened(amount, limit, _cuts(amount))
    if amount == amount.to_integral_value():
        return f"{amount:{separator}.0f}"
    return f"{amount:{separator}.{max(_CENTS, _digits(amount.normalize()))}f}"


@lru_cache(maxsize=4096)
def limit_in(text: str) -> timedelta | Decimal | None:
    """Return the limit of a condition: 90 days for `over 90d`; None if it is not a single one."""
    if not (match := _LIMIT.fullmatch(text)):
        return None
    written = match[1]
    return Decimal(written) if _NUMBER.fullmatch(written) else parse_duration(written)


def _cuts(amount: Decimal) -> Iterator[Decimal]:
    for digits in range(_CENTS, _digits(amount)):
        yield amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN)


def _digits(amount: Decimal) -> int:
    """Return the number of decimal places."""
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
