"""Undoing a revocation: the change that restores the key, and the errors where it cannot be."""

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
from tests.support.prose import Prose

LATER = NOW + timedelta(days=2)
ENDS = NOW + timedelta(days=7)


def an_act(result: Result | None = Result.DONE, **changes: Any) -> Act:
    """Return an action of this scan: the key expires within seven days."""
    return planning.an_act(result, ends=ENDS, **{"at": NOW, **changes})


@pytest.mark.parametrize(
    ("before", "expires_in"),
    [
        (None, 365 * 86_400),
        (LATER + timedelta(days=30), 30 * 86_400),
        (LATER + timedelta(days=900), 365 * 86_400),
    ],
)
def test_an_expiry_is_restored_or_set_as_late_as_possible(
    before: datetime | None, expires_in: int
) -> None:
    act = an_act(expires_at=before)
    back = undoing(act, a_key(expires_at=ENDS), LATER, "me")
    assert (back.method, back.expires_in, back.undoes) == (Method.EXPIRE, expires_in, "r1")
    assert (back.expires_at, back.at, back.by) == (ENDS, LATER, "me")
    assert back.receipt != "r1"


def test_a_restriction_is_undone_with_the_earlier_scopes() -> None:
    act = an_act(method=Method.RESTRICT, scopes=("api.all.read",), scopes_before=("a", "b"))
    back = undoing(act, a_key(), LATER, "me")
    assert (back.method, back.scopes, back.undoes) == (Method.RESTRICT, ("a", "b"), "r1")


def shown(error: UsageError) -> str:
    """Return the message and the help as people read them."""
    return f"{error}\n{error.help or ''}"


@pytest.mark.parametrize("scopes_before", [None, ()], ids=["unknown", "all"])
def test_unknown_or_full_permissions_are_not_restored(
    scopes_before: tuple[str, ...] | None, prose: Prose
) -> None:
    act = an_act(method=Method.RESTRICT, scopes=("api.all.read",), scopes_before=scopes_before)
    with pytest.raises(UsageError) as raised:
        undoing(act, a_key(), LATER, "me")
    prose(shown(raised.value))


@pytest.mark.parametrize(
    "expires_at",
    [
        LATER,
        ENDS + timedelta(days=1),
        None,
        NOW + timedelta(days=300),
        Unknown(reason="the API did not say"),
    ],
    ids=["expired", "a day later", "as before", "much later", "unknown"],
)
def test_an_expiry_that_was_changed_since_is_not_overwritten(
    expires_at: datetime | Unknown | None, prose: Prose
) -> None:
    with pytest.raises(UsageError) as raised:
        undoing(an_act(), a_key(expires_at=expires_at), LATER, "me")
    prose(shown(raised.value))


def test_a_deleted_key_cannot_be_restored(prose: Prose) -> None:
    with pytest.raises(UsageError) as raised:
        undoing(an_act(), None, LATER, "me")
    prose(shown(raised.value))


@pytest.mark.parametrize(
    "acts",
    [
        [],
        [an_act(method=Method.DELETE)],
        [an_act(None)],
        [an_act(Result.FAILED)],
        [an_act(Result.REFUSED)],
        [an_act(undoes="r0")],
        [an_act(), an_act(receipt="r2", undoes="r1")],
    ],
    ids=["none", "deletion", "unfinished", "failed", "refused", "undo", "undone"],
)
def test_an_action_that_cannot_be_undone_is_an_error(acts: list[Act], prose: Prose) -> None:
    with pytest.raises(UsageError) as raised:
        find(acts, "r1")
    prose(shown(raised.value))


@pytest.mark.parametrize("result", [Result.DONE, Result.UNKNOWN])
def test_an_action_that_may_have_had_an_effect_can_be_undone(result: Result) -> None:
    act = an_act(result)
    failed = an_act(Result.FAILED, receipt="r2", undoes="r1")
    assert find([act, failed], "r1") is act
