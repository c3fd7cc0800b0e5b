"""Faults during a revocation: lost responses, refusals, and the end of the process."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.enforce import GIVEN_UP, PATIENCE
from scanner.receipt import Act, Result, broken_at
from tests.revocation.mortal import Killed
from tests.revocation.staging import ACME, Cast, Stage, a_cast, a_policy, staged
from tests.store.making import a_store

pytestmark = pytest.mark.slow


@pytest.fixture
def cast() -> Cast:
    return a_cast()


@pytest.fixture
def stage(cast: Cast, tmp_path: Path) -> Iterator[Stage]:
    with staged(cast.organization, a_store(str(tmp_path / "history.db"))) as made:
        for _ in range(7):
            made.night()
        yield made


def results(stage: Stage) -> list[Result | None]:
    return [act.outcome.result if act.outcome else None for act in stage.acts()]


@pytest.mark.parametrize(
    ("fault", "first", "later", "writes"),
    [
        ("", Result.DONE, [Result.DONE], 1),
        ("after", Result.DONE, [Result.DONE], 1),
        (-500, Result.DONE, [Result.DONE], 1),
        ("silent after", Result.DONE, [Result.DONE], 1),
        ("before", None, [Result.FAILED, Result.DONE], 1),
        ("silent before", None, [Result.FAILED, Result.DONE], 1),
        (500, None, [Result.FAILED, Result.DONE], 1),
        (408, None, [Result.FAILED, Result.DONE], 1),
        (409, None, [Result.FAILED, Result.DONE], 1),
        (404, None, [Result.FAILED, Result.DONE], 1),
        (429, Result.FAILED, [Result.FAILED, Result.DONE], 1),
        (400, Result.REFUSED, [Result.REFUSED], 0),
    ],
)
def test_the_outcome_is_the_state_of_the_key_as_read(
    stage: Stage, fault: str | int, first: Result | None, later: list[Result], writes: int
) -> None:
    stage.api.faults = [fault]
    stage.timeout = 1.0
    stage.night()
    assert results(stage) == [first]
    stage.timeout = 5.0
    with stage.store.hold(ACME) as lease:  # immediately: it may still take effect
        stage.revoke(stage.scene(), lease)
    assert results(stage)[:1] == [first]
    for _ in range(3):
        stage.night()
    assert results(stage) == later
    assert len(stage.written()) == writes
    sent = [write for write in stage.organization.writes if write.status == 200]
    assert len(sent) == writes


def test_a_lost_change_is_given_time_before_it_counts_as_lost(stage: Stage) -> None:
    stage.api.faults = ["before"]
    stage.night()
    for waited, known in ((PATIENCE - timedelta(seconds=1), None), (PATIENCE, Result.FAILED)):
        stage.moment = stage.acts()[0].intent.at + waited
        with stage.store.hold(ACME) as lease:
            scene = stage.scene()
            stage.revoke(scene, lease)
        assert results(stage)[0] is known


def test_a_change_that_takes_effect_late_is_detected(stage: Stage, cast: Cast) -> None:
    """The request took three minutes."""
    stage.api.faults = ["before"]
    stage.night()
    intent = stage.acts()[0].intent
    late = intent.at + timedelta(minutes=3, seconds=intent.expires_in)
    cast.old.expires_at = int(late.timestamp())
    (act,) = stage.night(days=0.01)
    assert isinstance(act, Act)
    assert act.outcome
    assert act.outcome.result is Result.DONE


def test_an_expiry_that_the_owner_set_does_not_count_as_the_intended_one(
    stage: Stage, cast: Cast
) -> None:
    stage.api.faults = ["before"]
    stage.night()
    cast.old.expires_at = int((stage.moment + timedelta(days=30)).timestamp())
    stage.night()
    assert results(stage)[0] is Result.FAILED


def test_an_accepted_change_that_becomes_visible_late_is_done(stage: Stage, cast: Cast) -> None:
    """The API serves reads from a stale replica: for a minute, or permanently."""
    shown = cast.old.expires_at
    kept: list[int | None] = []

    def stay_behind() -> None:
        kept.append(cast.old.expires_at)
        cast.old.expires_at = shown

    stage.api.after_write = stay_behind
    stage.night()
    assert results(stage) == [Result.ACCEPTED]
    cast.old.expires_at = kept[0]
    stage.night(days=0.01)
    assert results(stage) == [Result.DONE]
    assert len(stage.written()) == 1


def test_an_accepted_change_that_never_becomes_visible_is_not_requested_again(
    stage: Stage, cast: Cast
) -> None:
    def stay_behind() -> None:
        cast.old.expires_at = None

    stage.api.after_write = stay_behind
    for _ in range(4):
        stage.night()
    assert results(stage) == [Result.UNKNOWN]
    assert len(stage.written()) == 1


def test_a_run_that_was_suspended_requests_no_change(stage: Stage) -> None:
    """More than a minute passes between the journal entry and the change."""
    stage.sleeps_after_note = timedelta(minutes=2)
    stage.night()
    assert results(stage) == [Result.FAILED]
    assert stage.written() == []


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_run_with_a_wrong_clock_requests_no_change(stage: Stage, minutes: int) -> None:
    stage.ahead = timedelta(minutes=minutes)
    for _ in range(3):
        assert stage.written() == []
        stage.night()
    assert results(stage) == []


def test_a_clock_set_back_before_delivery_shortens_no_grace_period(
    tmp_path: Path, cast: Cast
) -> None:
    """The clock is right during a scan, then three days behind until all is delivered."""
    with staged(cast.organization, a_store(str(tmp_path / "fresh.db"))) as stage:
        stage.told = False
        for _ in range(4):
            stage.night()
        stage.told = True
        with stage.hold() as lease:
            scene = stage.scene()
            stage.record(scene, lease)
            stage.ahead = timedelta(days=-3)
            stage.notify(scene.result, lease)
        stage.ahead = timedelta()
        for _ in range(7):
            stage.night()
        assert stage.written() == []
        stage.night()
        assert len(stage.written()) == 1


def test_an_outcome_that_cannot_be_read_for_a_week_stays_unknown(stage: Stage, cast: Cast) -> None:
    stage.api.faults = ["before"]
    stage.night()
    del cast.organization.projects[cast.project.id]
    stage.night()
    assert results(stage) == [None]
    stage.night(days=GIVEN_UP.days)
    assert results(stage) == [Result.UNKNOWN]


def test_a_restriction_without_a_response_is_found_in_the_audit_log(stage: Stage) -> None:
    stage.policies = (a_policy(method="restrict", after="1d"),)
    stage.night()  # delivers another notice, because the method changed
    stage.api.faults = ["after"]
    stage.night()
    assert results(stage) == [Result.DONE]


def test_a_restriction_with_an_unknown_outcome_is_not_requested_again(stage: Stage) -> None:
    stage.policies = (a_policy(method="restrict", after="1d"),)
    stage.night()
    stage.api.faults = ["before"]
    for _ in range(4):
        stage.night()
    assert results(stage) == [Result.UNKNOWN]
    assert stage.written() == []


@pytest.mark.parametrize("method", ["expire", "restrict", "delete"])
def test_later_scans_recover_from_a_process_that_dies_at_any_step(
    tmp_path: Path, method: str
) -> None:
    """Each step separately; three later scans request no change twice."""
    died = 0
    for step in range(1, 30):
        made = a_cast()
        with staged(made.organization, a_store(str(tmp_path / f"{step}.db"))) as stage:
            stage.policies = (a_policy(method=method, after="1d"),)
            stage.night()
            try:
                stage.night(killed_at=step)
            except Killed:
                died += 1
            else:
                break
            for _ in range(3):
                stage.night()
            written = stage.written()
            assert len(written) <= 1
            assert all(key_id == made.old.id for _, key_id in written)
            known = results(stage)
            assert None not in known
            assert known.count(Result.DONE) == len(written) or Result.UNKNOWN in known
            assert len(written) == 1 or (method, known) == ("restrict", [Result.UNKNOWN])
            (entries,) = stage.store.journals().values()
            assert broken_at(entries) is None
            assert made.sibling.id in made.project.keys
            assert made.sibling.expires_at is None
    assert died >= 7


def test_a_journal_under_another_lease_cannot_be_written(stage: Stage) -> None:
    """A suspended process whose lease was taken over revokes no key."""
    stage.moment += timedelta(days=1)
    with stage.store.hold(ACME) as lease:
        scene = stage.scene()
    from scanner.errors import StoreError  # noqa: PLC0415 - only here

    with stage.store.hold(ACME), pytest.raises(StoreError, match=ACME):
        stage.revoke(scene, lease)
    assert stage.written() == []
