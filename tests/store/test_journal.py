"""The journal: only added to, whole, under the lease, and within the bounds of a day."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from scanner.errors import StoreError
from scanner.receipt import FIRST, Act, Outcome, Result, broken_at
from scanner.revocation import Method
from scanner.store.database import open_database
from tests.factories import NOW
from tests.planning import an_intent
from tests.store.making import ACME, a_store
from tests.store.test_outbox import a_draft

INTENT = an_intent(
    at=NOW,
    by="host, process 1",
    method=Method.RESTRICT,
    key_name="a \0 key 'quoted'\N{RIGHT-TO-LEFT OVERRIDE}",
    project_id=None,
    project="",
    expires_at=NOW + timedelta(days=90),
    scopes_before=(),
    scopes=("api.all.read",),
)
DONE = Outcome(receipt="r1", at=NOW, result=Result.DONE, note="n", expires_at=NOW, is_gone=True)


def test_what_is_noted_is_read_again(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        journal = store.journal(lease)
        assert journal.begin(INTENT, most=1)
        assert journal.acts() == (Act(INTENT, None),)
        journal.end(DONE)
        journal.end(replace(DONE, result=Result.FAILED))  # what was noted first counts
    assert store.acts(ACME) == (Act(INTENT, DONE),)
    assert store.acts("Other") == ()
    (entries,) = store.journals().values()
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert entries[0].before == FIRST
    assert broken_at(entries) is None


@pytest.mark.parametrize(
    ("hours", "result", "undoes", "is_begun"),
    [
        (23, Result.DONE, "", False),
        (23, Result.UNKNOWN, "", False),
        (23, None, "", False),
        (23, Result.FAILED, "", True),
        (23, Result.REFUSED, "", True),
        (25, Result.DONE, "", True),
        (23, Result.DONE, "r0", True),
    ],
)
def test_a_day_has_its_bounds(
    place: str, hours: int, result: Result | None, undoes: str, *, is_begun: bool
) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        journal = store.journal(lease)
        assert journal.begin(replace(INTENT, undoes=undoes), most=1)
        if result:
            journal.end(replace(DONE, result=result))
        later = replace(INTENT, receipt="r2", at=NOW + timedelta(hours=hours))
        assert journal.begin(later, most=1) is is_begun
        assert len(journal.acts()) == 1 + is_begun
        assert journal.begin(replace(later, receipt="r3", undoes="r1"), most=0)


def test_without_the_lease_nothing_is_noted(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as old:
        pass
    with store.hold(ACME):
        for note in (
            lambda: store.journal(old).begin(INTENT, 1),
            lambda: store.journal(old).end(DONE),
        ):
            with pytest.raises(StoreError, match="took over"):
                note()
    assert store.journals() == {}


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("UPDATE journal SET content = replace(content, 'r2', 'r9') WHERE number = 2", 2),
        ("DELETE FROM journal WHERE number = 1", 1),
        ("DELETE FROM journal WHERE number = 2", 2),
        ("UPDATE journal SET number = 9 WHERE number = 3", 3),
        ("UPDATE journal SET hash = before WHERE number = 3", 3),
    ],
)
def test_whoever_writes_to_it_is_seen_and_nothing_is_revoked(
    place: str, how: str, number: int
) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        for name in ("r1", "r2", "r3"):
            assert store.journal(lease).begin(replace(INTENT, receipt=name), most=9)
        with open_database(place).writing() as connection:
            connection.execute(text(how))
        (entries,) = store.journals().values()
        assert broken_at(entries) == number
        with pytest.raises(StoreError, match=f"was changed at entry {number}"):
            store.journal(lease).acts()
        with pytest.raises(StoreError, match=f"was changed at entry {number}"):
            store.journal(lease).begin(replace(INTENT, receipt="r4"), most=9)


def test_an_entry_that_says_nothing_we_know_is_told(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        assert store.journal(lease).begin(INTENT, most=1)
    with open_database(place).writing() as connection:
        connection.execute(text("""UPDATE journal SET content = '{"other": {}}'"""))
    with pytest.raises(StoreError, match="Entry 1 of the journal cannot be read"):
        store.acts(ACME)


def test_people_are_told_of_each_entry_once(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        journal = store.journal(lease)
        assert journal.news() == ((), 0)
        journal.begin(INTENT, most=1)
        assert journal.news() == ((Act(INTENT, None),), 1)
        draft = a_draft()
        told = draft._replace(announcement=replace(draft.announcement, entry=1))
        journal.tell(NOW, [told], 1)
        assert journal.news() == ((), 1)
        assert len(store.outbox.pending(ACME)) == 1
        journal.end(DONE)
        assert journal.news() == ((Act(INTENT, DONE),), 2)
        journal.tell(NOW, [], 2)
        assert journal.news() == ((), 2)
