"""The contract of the store, on SQLite and on PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scanner.compare import between
from scanner.errors import LockLost, StoreError, UsageError
from scanner.lifecycle import Event, History, Resolution, Standing, State
from scanner.severity import Severity
from scanner.store.keeping import Pruned
from tests.factories import NOW, ago
from tests.store.making import ACME, a_case, a_history, a_store, night, record, resolved, stale

TOMORROW = NOW + timedelta(days=1)


def test_a_recorded_scan_is_read_back_unchanged(place: str) -> None:
    store = a_store(place)
    case = a_case()
    record(store, NOW, [Standing(State.NEW, case)])
    again = a_store(place)
    assert again.cases(ACME, []) == (case,)
    assert again.nights(ACME, 10) == (night(NOW),)
    assert again.snapshot(night(NOW).scan_id) == b"seen"
    assert again.organizations() == (ACME,)
    assert again.events(ACME, NOW) == (
        Event("f1", NOW, night(NOW).scan_id, State.NEW, Severity.HIGH),
    )


def test_a_scan_with_hostile_names_is_recorded(place: str) -> None:
    store = a_store(place)
    names = ["\0", "a\0b", "\u202e\U0001f511", "'; DROP TABLE cases; --", "x" * 100_000, ""]
    cases = [a_case(f"f{n}", key_name=name, owner_name=name) for n, name in enumerate(names)]
    record(store, NOW, [Standing(State.NEW, case) for case in cases])
    read = {case.fingerprint: case.key_name for case in store.cases(ACME, [])}
    assert list(read.values()) == [name.replace("\0", "\ufffd") for name in names]


def test_organizations_are_isolated_from_each_other(place: str) -> None:
    store = a_store(place)
    record(store, NOW, [Standing(State.NEW, a_case())])
    assert store.cases("Other", ["f1"]) == ()
    assert store.nights("Other", 10) == ()
    assert store.events("Other", TOMORROW) == ()
    nothing = Pruned(scans=0, snapshots=0, cases=0)
    assert a_store(place, snapshots=0).prune("Other", NOW + timedelta(days=4000)) == nothing
    assert store.nights(None, 10) == (night(NOW),)


def test_open_records_are_always_returned_and_closed_ones_if_named(place: str) -> None:
    store = a_store(place)
    closed = [a_case(f"closed-{n:04}") for n in range(1200)]
    opened = a_case("open")
    record(store, NOW, [Standing(State.NEW, case) for case in (*closed, opened)])
    record(store, TOMORROW, [resolved(case, TOMORROW) for case in closed])
    assert store.cases(ACME, []) == (opened,)
    named = [case.fingerprint for case in closed[:1100]]
    assert len(store.cases(ACME, [*named, "open", "never seen"])) == 1101


def test_recently_resolved_records_are_returned_latest_first(place: str) -> None:
    store = a_store(place)
    moments = [NOW + timedelta(days=days) for days in range(4)]
    record(store, moments[0], [Standing(State.NEW, a_case(f"f{n}")) for n in range(4)])
    for n in (1, 2, 3):
        record(store, moments[n], [resolved(a_case(f"f{n}"), moments[n])])
    assert [case.fingerprint for case in store.closed(ACME, moments[2], 10)] == ["f3", "f2"]
    assert [case.fingerprint for case in store.closed(ACME, NOW, 1)] == ["f3"]
    assert store.closed("Other", NOW, 10) == ()


def test_the_history_before_a_scan_is_as_it_was_then(place: str) -> None:
    store = a_store(place)
    days = [NOW + timedelta(days=day) for day in range(5)]
    case = a_case()
    worse = case._replace(severity=Severity.CRITICAL, last_seen=days[1])
    back = case._replace(opened_at=days[3], last_seen=days[3], openings=2)
    record(store, days[0], [Standing(State.NEW, case)])
    record(store, days[1], [Standing(State.ESCALATED, worse, before=Severity.HIGH)])
    record(store, days[2], [resolved(worse, days[2])])
    record(store, days[3], [Standing(State.REOPENED, back)])
    before = [store.before(night(day)) for day in days]
    assert before[0].cases(ACME, []) == before[0].closed(ACME, NOW, 9) == ()
    (first,), (second,), (third,), (fourth,) = (past.cases(ACME, []) for past in before[1:])
    assert (first.severity, first.opened_at, first.openings) == (Severity.HIGH, NOW, 1)
    assert (second.severity, second.last_seen) == (Severity.CRITICAL, days[1])
    assert (third.resolved_at, third.resolution) == (days[2], Resolution.KEY_DELETED)
    assert before[3].closed(ACME, NOW, 9) == (third,)
    assert fourth == back
    assert [past.nights(ACME, 2) for past in before[:2]] == [(), (night(NOW),)]


def test_a_finding_record_is_updated_and_its_events_are_added(place: str) -> None:
    store = a_store(place)
    case = a_case()
    worse = case._replace(severity=Severity.CRITICAL, last_seen=TOMORROW)
    record(store, NOW, [Standing(State.NEW, case)])
    record(store, TOMORROW, [Standing(State.ESCALATED, worse, before=Severity.HIGH)])
    third, fourth = (NOW + timedelta(days=n) for n in (2, 3))
    still = worse._replace(last_seen=third)
    record(store, third, [Standing(State.UNCHANGED, still)])
    record(store, fourth, [resolved(still, fourth, Resolution.KEY_ROTATED)])
    (read,) = store.cases(ACME, ["f1"])
    assert (read.first_seen, read.last_seen, read.resolved_at) == (NOW, third, fourth)
    told = [(e.at, e.state, e.severity, e.resolution) for e in store.events(ACME, fourth)]
    assert told == [
        (NOW, State.NEW, Severity.HIGH, None),
        (TOMORROW, State.ESCALATED, Severity.CRITICAL, None),
        (fourth, State.RESOLVED, Severity.CRITICAL, Resolution.KEY_ROTATED),
    ]
    assert len(store.events(ACME, TOMORROW)) == 2


def test_an_unverified_finding_record_is_unchanged(place: str) -> None:
    store = a_store(place)
    record(store, NOW, [Standing(State.NEW, a_case())])
    unseen = Standing(State.UNVERIFIED, a_case(title="not to be written"), reason="not seen")
    record(store, TOMORROW, [unseen])
    assert store.cases(ACME, []) == (a_case(),)
    assert len(store.events(ACME, TOMORROW)) == 1


def test_a_finding_record_that_was_not_evaluated_is_unchanged(place: str) -> None:
    store = a_store(place)
    record(store, NOW, [Standing(State.NEW, a_case())])
    missed = Standing(State.NOT_EVALUATED, a_case(title="not to be written"))
    record(store, TOMORROW, [missed], not_evaluated=1)
    assert [one.not_evaluated for one in store.nights(ACME, 2)] == [0, 1]
    assert store.cases(ACME, []) == (a_case(),)
    assert len(store.events(ACME, TOMORROW)) == 1


def test_a_finding_record_that_goes_on_after_a_policy_change_is_open_again(place: str) -> None:
    store = a_store(place)
    days = [NOW + timedelta(days=day) for day in range(3)]
    record(store, days[0], [Standing(State.NEW, a_case())])
    record(store, days[1], [resolved(a_case(), days[1], Resolution.POLICY_CHANGED)])
    record(store, days[2], [Standing(State.UNCHANGED, a_case(), by_policy=True)])
    assert store.cases(ACME, []) == (a_case(),)
    turns = between(store.events(ACME, days[2]), days[1])
    assert [(turn.before, turn.after) for turn in turns] == [(None, Severity.HIGH)]
    assert store.before(night(days[2])).cases(ACME, [])[0].resolved_at == days[1]
    (then,) = store.before(night(days[2] + timedelta(days=1))).cases(ACME, [])
    assert (then.opened_at, then.openings, then.resolved_at) == (NOW, 1, None)


def test_each_policy_text_is_stored_once(place: str) -> None:
    store, texts = a_store(place), {"d1": "policy: mine"}
    for day in (NOW, TOMORROW):
        with store.hold(ACME) as lease:
            store.record(lease, a_history(day), b"", (), texts)
    assert store.policy_texts(night(NOW)) == store.policy_texts(night(TOMORROW)) == texts
    assert store.policy_texts(night(NOW, sources=())) == {}


def test_a_history_is_read_as_it_was_reported(place: str) -> None:
    store = a_store(place)
    standings = [
        resolved(a_case(), NOW),
        Standing(State.ESCALATED, a_case("f2"), before=Severity.LOW, by_policy=True),
        Standing(State.UNVERIFIED, a_case("f3", owner_name=None), reason="not seen"),
    ]
    reported = replace(a_history(NOW, *standings), closed=(a_case("f4"),))
    with store.hold(ACME) as lease:
        store.record(lease, reported, b"seen")
    record(store, TOMORROW, [Standing(State.REOPENED, a_case(key_name="renamed"))])
    assert store.reported(night(NOW).scan_id) == reported
    assert store.reported("another") is None


def test_a_scan_is_recorded_in_one_transaction(place: str) -> None:
    store = a_store(place)
    record(store, NOW, [Standing(State.NEW, a_case())])
    with pytest.raises(StoreError) as caught:  # its id exists: the last INSERT fails
        record(store, NOW, [Standing(State.NEW, a_case("f2")), resolved(a_case(), NOW)])
    assert "sk-" not in str(caught.value)
    assert store.cases(ACME, ["f2"]) == (a_case(),)
    assert store.nights(ACME, 10) == (night(NOW),)
    record(store, TOMORROW)


def test_a_scan_that_lost_the_lock_cannot_record(place: str) -> None:
    store = a_store(place)
    record(store, NOW, [Standing(State.NEW, a_case())])
    with store.hold(ACME) as lease, pytest.raises(LockLost, match=ACME):
        store.record(stale(lease), a_history(TOMORROW, resolved(a_case(), TOMORROW)), b"")
    assert store.cases(ACME, []) == (a_case(),)
    assert store.nights(ACME, 10) == (night(NOW),)


def test_the_latest_scans_are_returned_oldest_first(place: str) -> None:
    store = a_store(place)
    nights = [night(NOW + timedelta(days=n)) for n in range(5)]
    for made in nights:
        record(store, made.started_at)
    assert store.nights(ACME, 3) == tuple(nights[2:])
    assert store.find("latest") == nights[-1]
    assert store.find("previous") == nights[-2]
    with store.hold("Other") as lease:
        other = night(NOW + timedelta(days=9), organization="Other")
        store.record(lease, History(standings=(), nights=(other,)), b"")
    assert store.find("latest") == other
    assert store.find("previous", ACME) == nights[-2]
    with pytest.raises(UsageError, match="previous scan"):
        store.find("previous")
    assert store.find(nights[2].scan_id[:8]) == nights[2]


def test_a_scan_in_the_future_is_not_the_latest_unless_it_is_the_only_one(place: str) -> None:
    store = a_store(place)
    future = NOW + timedelta(days=365)
    record(store, future)
    assert store.find("latest", before=TOMORROW) == night(future)
    record(store, NOW)
    assert store.find("latest", before=TOMORROW) == night(NOW)
    with pytest.raises(UsageError, match="previous scan"):
        store.find("previous", before=TOMORROW)
    assert store.find(night(future).scan_id, before=TOMORROW) == night(future)


@pytest.mark.parametrize("name", ["2026", "nothing", "%", "latest", "previous"])
def test_an_unknown_or_ambiguous_scan_is_refused(place: str, name: str) -> None:
    store = a_store(place)
    if name == "2026":
        record(store, NOW)
        record(store, TOMORROW)
    with pytest.raises(UsageError, match=name):
        store.find(name)


def test_old_scans_are_deleted_and_open_records_keep_their_first_date(place: str) -> None:
    store = a_store(place, scans=timedelta(days=400), snapshots=2)
    old, mended = a_case("open"), a_case("mended", opened_at=ago(days=500))
    record(store, ago(days=500), [Standing(State.NEW, old), Standing(State.NEW, mended)])
    record(store, ago(days=450), [resolved(mended, ago(days=450))])
    assert len(store.nights(ACME, 10)) == 2
    for days in (3, 2, 1):
        record(store, ago(days=days))
    assert [n.started_at for n in store.nights(ACME, 10)] == [ago(days=n) for n in (3, 2, 1)]
    assert store.cases(ACME, ["mended"]) == (old,)
    assert [event.fingerprint for event in store.events(ACME, NOW)] == ["open"]
    assert store.snapshot(night(ago(days=2)).scan_id) == b"seen"
    gone = night(ago(days=3)).scan_id
    with pytest.raises(UsageError, match=gone) as caught:
        store.snapshot(gone)
    assert "KEYVIGIL_KEEP_SNAPSHOTS" in str(caught.value.help)
    stricter = a_store(place, scans=timedelta(days=2), snapshots=1)
    assert stricter.prune(ACME, NOW) == Pruned(scans=1, snapshots=1, cases=0)


def test_the_scans_that_the_next_one_is_compared_with_are_kept(place: str) -> None:
    """These are the latest scan, and the first incomplete one since the last complete scan."""
    store = a_store(place, scans=timedelta(days=7))

    def kept() -> list[int]:
        store.prune(ACME, NOW)
        return [(NOW - one.started_at).days for one in store.nights(ACME, 100)]

    record(store, ago(days=60))
    assert kept() == [60]
    for days in (50, 40, 30):
        record(store, ago(days=days), complete=False)
    assert kept() == [50, 30]
    record(store, ago(days=20))
    assert kept() == [20]
    assert store.snapshot(night(ago(days=20)).scan_id) == b"seen"
