"""The outcome of a run, from its exit code and its result file."""

import pytest

from scanner.daemon.account import Account, Fate
from scanner.daemon.outcome import Ended, Outcome

RECORDED = Account(fate=Fate.RECORDED)
PARTIAL = Account(fate=Fate.RECORDED, is_complete=False, is_settled=False)


@pytest.mark.parametrize(
    ("code", "account", "outcome", "is_settled"),
    [
        (0, RECORDED, Outcome.DONE, True),
        (1, RECORDED, Outcome.DONE, True),
        (4, RECORDED, Outcome.NOT_ALERTED, True),
        (5, RECORDED, Outcome.NOT_REVOKED, True),
        (3, RECORDED, Outcome.FAILED, False),
        (2, None, Outcome.FAILED, False),
        (0, None, Outcome.FAILED, False),
        (-9, None, Outcome.FAILED, False),
        (3, Account(fate=Fate.UNRECORDED), Outcome.FAILED, False),
        (3, PARTIAL, Outcome.INCOMPLETE, False),
        (3, PARTIAL.model_copy(update={"is_settled": True}), Outcome.INCOMPLETE, True),
        (3, Account(fate=Fate.LOCKED), Outcome.LOCKED, False),
        (0, Account(fate=Fate.SKIPPED), Outcome.SKIPPED, True),
    ],
)
def test_the_outcome_follows_from_exit_code_and_result(
    code: int, account: Account | None, outcome: Outcome, *, is_settled: bool
) -> None:
    ended = Ended.of(code, account, "")
    assert (ended.outcome, ended.is_settled) == (outcome, is_settled)


def test_a_run_that_timed_out_is_not_retried() -> None:
    assert Ended(outcome=Outcome.TIMED_OUT, code=3).is_settled
    assert not Outcome.TIMED_OUT.is_success
