"""The account that a scan writes for the daemon."""

import pytest

from scanner.cli.account import Accounting
from scanner.daemon.account import Fate
from scanner.errors import AlertError, KeyVigilError, LockLost, StoreError
from tests.factories import a_result


@pytest.mark.parametrize(
    ("failures", "fate"),
    [
        ([], Fate.RECORDED),
        ([AlertError("not told")], Fate.RECORDED),
        ([StoreError("full")], Fate.UNRECORDED),
        ([AlertError("not told"), LockLost("another took over")], Fate.LOCKED),
    ],
)
def test_what_failed_beside_a_scan_decides_its_fate(
    failures: list[KeyVigilError], fate: Fate
) -> None:
    gathered = Accounting(since=None)
    gathered.take(a_result(), failures)
    assert gathered.account is not None
    assert gathered.account.fate is fate
