"""The journal: append-only, under the lease, and within the limit per day."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from scanner.errors import StoreError
from scanner.identity import Identified, Identity, NameSource
from scanner.lifecycle import History
from scanner.receipt import FIRST, Act, Intent, Outcome, Result, broken_at
from scanner.revocation import Method
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.journal import SqlJournal
from tests.factories import NOW
from tests.planning import an_intent
from tests.store.making import ACME, a_store, night
from tests.store.test_outbox import a_draft
from tests.support.waiting import PATIENCE

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


def test_entries_are_read_back_unchanged(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        journal = store.journal(lease)
        assert not begin(journal, INTENT)
        assert journal.acts() == (Act(INTENT, None),)
        journal.end(DONE)
        journal.end(replace(DONE, result=Result.FAILED))  # the first final outcome counts
    assert store.acts(ACME) == (Act(INTENT, DONE),)
    assert store.acts("Other") == ()
    (entries,) = store.journals().values()
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert entries[0].before == FIRST
    assert broken_at(entries) is None


def begin(journal: SqlJournal, intent: Intent) -> str:
    return journal.begin(intent, frozenset(), lambda _acts: "")


def test_an_objection_receives_all_actions_and_prevents_the_intent(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        journal = store.journal(lease)
        begin(journal, INTENT)
        journal.end(DONE)
        seen: list[tuple[Act, ...]] = []

        def objection(acts: tuple[Act, ...]) -> str:
            seen.append(acts)
            return "no"

        assert journal.begin(replace(INTENT, receipt="r2"), frozenset(), objection) == "no"
        assert seen == [(Act(INTENT, DONE),)]
        assert journal.acts() == (Act(INTENT, DONE),)


def identified(name: str, *project_ids: str) -> Identified:
    identity = Identity(organization=name, name=name, source=NameSource.CHOSEN)
    return Identified(identity=identity, project_ids=project_ids)


def collected(store: SqlStore, name: str, *project_ids: str) -> None:
    """Record a scan of these projects under a name."""
    with store.hold(name) as lease:
        scan = night(NOW, scan_id=f"scan of {name}", organization=name)
        history = History(standings=(), nights=(scan,), closed=())
        store.record(lease, history, b"", identified=identified(name, *project_ids))


def test_the_organizations_other_histories_are_found_by_its_projects_and_keys(place: str) -> None:
    store = a_store(place)
    collected(store, "one", "proj_1", "proj_2")
    collected(store, "two", "proj_2", "proj_3")
    collected(store, "three", "proj_3")
    collected(store, "another", "proj_9")
    acted: dict[str, dict[str, Any]] = {
        "one": {"receipt": "own"},
        "two": {"receipt": "by a common project"},
        "three": {"receipt": "by way of two"},
        "never recorded": {"receipt": "by the action's project", "project_id": "proj_1"},
        "nor this": {"receipt": "by the key", "key_id": "key_7"},
        "another": {"receipt": "of another organization", "project_id": "proj_9", "key_id": "x"},
    }
    for name, changes in acted.items():
        with store.hold(name) as lease:
            begin(store.journal(lease), replace(INTENT, **changes))
    ids = frozenset({"proj_1", "key_7"})
    receipts = {act.intent.receipt for act in store.acts_elsewhere("one", ids)}
    assert receipts == {
        "by a common project",
        "by way of two",
        "by the action's project",
        "by the key",
    }


def test_a_broken_journal_of_the_same_organization_stops_revoking(place: str) -> None:
    store = a_store(place)
    with store.hold("two") as lease:
        begin(store.journal(lease), INTENT)
    with open_database(place).writing() as connection:
        connection.execute(text("UPDATE journal SET hash = before"))
    with store.hold("one") as lease, pytest.raises(StoreError, match=" two "):
        store.journal(lease).begin(
            replace(INTENT, receipt="r2"), frozenset({INTENT.key_id}), lambda _acts: ""
        )


def test_parallel_processes_see_the_intents_of_each_other(place: str) -> None:
    """With four names of one organization and a limit of one, only one may act."""
    store = a_store(place)
    names = ("one", "two", "three", "four")
    start = threading.Barrier(len(names))

    def act(name: str) -> str:
        with store.hold(name) as lease:
            start.wait(PATIENCE)
            return store.journal(lease).begin(
                replace(INTENT, receipt=name, key_id=f"key_{name}", project_id="proj_1"),
                frozenset({"proj_1"}),
                lambda acts: "too many" if acts else "",
            )

    with ThreadPoolExecutor(len(names)) as threads:
        reasons = sorted(threads.map(act, names))
    assert reasons == ["", "too many", "too many", "too many"]


def test_without_the_lease_no_entry_is_recorded(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as old:
        pass
    with store.hold(ACME):
        for note in (
            lambda: begin(store.journal(old), INTENT),
            lambda: store.journal(old).end(DONE),
        ):
            with pytest.raises(StoreError, match=ACME):
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
def test_a_changed_journal_is_detected_and_stops_revoking(
    place: str, how: str, number: int
) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        for name in ("r1", "r2", "r3"):
            assert not begin(store.journal(lease), replace(INTENT, receipt=name))
        with open_database(place).writing() as connection:
            connection.execute(text(how))
        (entries,) = store.journals().values()
        assert broken_at(entries) == number
        with pytest.raises(StoreError, match=f"{ACME} .* entry {number}"):
            store.journal(lease).acts()
        with pytest.raises(StoreError, match=f"{ACME} .* entry {number}"):
            begin(store.journal(lease), replace(INTENT, receipt="r4"))


def test_an_entry_with_unknown_content_is_an_error(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        begin(store.journal(lease), INTENT)
    with open_database(place).writing() as connection:
        connection.execute(text("""UPDATE journal SET content = '{"other": {}}'"""))
    unreadable = f"Entry 1 .* {ACME} "
    with pytest.raises(StoreError, match=unreadable):
        store.acts(ACME)
    with pytest.raises(StoreError, match=unreadable):  # it may be about the same organization
        store.acts_elsewhere("another", frozenset({"key_9"}))


def test_each_entry_is_reported_once(place: str) -> None:
    store = a_store(place)
    with store.hold(ACME) as lease:
        journal = store.journal(lease)
        assert journal.news() == ((), 0)
        begin(journal, INTENT)
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
