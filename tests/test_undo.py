"""Taking a revocation back: what can be, exactly; and what cannot, plainly said."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from scanner.errors import UsageError
from scanner.inventory import Unknown
from scanner.receipt import Act, Result
from scanner.revocation import Method
from scanner.undo import find, undoing
from tests import planning
from tests.factories import NOW, a_key

LATER = NOW + timedelta(days=2)
ENDS = NOW + timedelta(days=7)


def an_act(result: Result | None = Result.DONE, **changes: Any) -> Act:
    """Return what was done tonight: the key ends within a week."""
    return planning.an_act(result, ends=ENDS, **{"at": NOW, **changes})


@pytest.mark.parametrize(
    ("before", "expires_in"),
    [
        (None, 365 * 86_400),
        (LATER + timedelta(days=30), 30 * 86_400),
        (LATER + timedelta(days=900), 365 * 86_400),
    ],
)
def test_an_expiry_is_pushed_out_to_where_it_was_or_as_far_as_can_be(
    before: datetime | None, expires_in: int
) -> None:
    act = an_act(expires_at=before)
    back = undoing(act, a_key(expires_at=ENDS), LATER, "me")
    assert (back.method, back.expires_in, back.undoes) == (Method.EXPIRE, expires_in, "r1")
    assert (back.expires_at, back.at, back.by) == (ENDS, LATER, "me")
    assert back.receipt != "r1"


def test_a_restriction_is_taken_back_by_what_the_key_was_allowed_before() -> None:
    act = an_act(method=Method.RESTRICT, scopes=("api.all.read",), scopes_before=("a", "b"))
    back = undoing(act, a_key(), LATER, "me")
    assert (back.method, back.scopes, back.undoes) == (Method.RESTRICT, ("a", "b"), "r1")


@pytest.mark.parametrize(
    ("scopes_before", "says"),
    [(None, "is not known"), ((), "was allowed everything before, and KeyVigil never gives that")],
)
def test_what_a_key_was_allowed_is_never_guessed(
    scopes_before: tuple[str, ...] | None, says: str
) -> None:
    act = an_act(method=Method.RESTRICT, scopes=("api.all.read",), scopes_before=scopes_before)
    with pytest.raises(UsageError, match=says):
        undoing(act, a_key(), LATER, "me")


@pytest.mark.parametrize(
    ("expires_at", "says"),
    [
        (LATER, "has expired, and an expired key cannot be changed"),
        (ENDS + timedelta(days=1), "Somebody changed when key_1 expires since then"),
        (None, "expires as it did before"),
        (NOW + timedelta(days=300), "Somebody changed"),
        (Unknown(reason="the API did not say"), "When key_1 expires is unknown"),
    ],
)
def test_what_somebody_changed_since_is_left_to_them(
    expires_at: datetime | Unknown | None, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        undoing(an_act(), a_key(expires_at=expires_at), LATER, "me")


def test_a_key_that_is_gone_is_gone() -> None:
    with pytest.raises(UsageError, match="exists no more"):
        undoing(an_act(), None, LATER, "me")


@pytest.mark.parametrize(
    ("acts", "says"),
    [
        ([], "There is no receipt 'r1'"),
        ([an_act(method=Method.DELETE)], "was deleted, which nothing can undo"),
        ([an_act(None)], "is not known yet"),
        ([an_act(Result.FAILED)], "had no effect"),
        ([an_act(Result.REFUSED)], "had no effect"),
        ([an_act(undoes="r0")], "is itself what took r0 back"),
        ([an_act(), an_act(receipt="r2", undoes="r1")], "was taken back already"),
    ],
)
def test_what_cannot_be_taken_back_is_told(acts: list[Act], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find(acts, "r1")


@pytest.mark.parametrize("result", [Result.DONE, Result.UNKNOWN])
def test_what_may_have_been_done_can_be_taken_back(result: Result) -> None:
    act = an_act(result)
    failed = an_act(Result.FAILED, receipt="r2", undoes="r1")
    assert find([act, failed], "r1") is act
