"""One scan per schedule, however many machines have it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scanner.cli.account import account_of_all
from scanner.daemon.account import Account, Fate, is_done, read_account
from scanner.lifecycle import Night
from tests.cli.running import keyvigil, sandbox
from tests.factories import NOW
from tests.store.making import a_store, night

DUE = NOW
LATER, BEFORE = DUE + timedelta(minutes=5), DUE - timedelta(days=1)


@pytest.mark.parametrize(
    ("nights", "done"),
    [
        ([], False),
        ([night(BEFORE)], False),
        ([night(BEFORE), night(DUE)], True),
        ([night(LATER)], True),
        ([night(BEFORE), night(LATER, complete=False)], False),
        ([night(LATER, complete=False)], False),
        ([night(BEFORE), night(DUE, complete=False), night(LATER)], True),
        ([night(BEFORE, complete=False), night(LATER, complete=False)], True),
        ([night(BEFORE, complete=False)], False),
    ],
)
def test_a_night_is_done_if_complete_or_no_worse_than_the_one_before(
    nights: list[Night], *, done: bool
) -> None:
    assert is_done(nights, DUE) == done


def test_a_scan_that_is_recorded_is_not_made_again_and_gives_account(tmp_path: Path) -> None:
    store, account = tmp_path / "history.db", tmp_path / "account.json"
    with sandbox("--projects", "2") as settings:
        env = {**settings, "KEYVIGIL_STORE": str(store)}

        def scan(since: datetime) -> tuple[int, str, Account | None]:
            ran = keyvigil(
                "scan", "--unless-since", since.isoformat(), "--account", account, env=env
            )
            return ran.code, ran.err, read_account(account)

        before = datetime.now(UTC)
        code, _, made = scan(before)
        assert (code, made and made.fate, made and made.keys) == (0, Fate.RECORDED, 25)
        code, said, skipped = scan(before)
        assert skipped == Account(fate=Fate.SKIPPED, organization="sandbox-7")
        assert made is not None
        since = f"{before:%Y-%m-%d %H:%M} UTC"
        assert (code, said.count("\n")) == (0, 1)
        assert made.scan_id in said
        assert since in said
        scan(datetime.now(UTC))
    listed = json.loads(keyvigil("history", "--json", env={"KEYVIGIL_STORE": str(store)}).out)
    assert len(listed) == 2
    assert account.stat().st_mode & 0o777 == 0o600


def test_a_scan_beside_another_says_in_its_account_that_it_was_locked(tmp_path: Path) -> None:
    store, account = tmp_path / "history.db", tmp_path / "account.json"
    with a_store(str(store)).hold("Acme"), sandbox("--projects", "2") as settings:
        ran = keyvigil(
            "scan",
            "--account",
            account,
            env={**settings, "KEYVIGIL_STORE": str(store), "KEYVIGIL_ORGANIZATION": "Acme"},
        )
    assert ran.code == 3
    assert read_account(account) == Account(fate=Fate.LOCKED)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"fate": "lost"}', b"\xff"])
def test_what_is_no_account_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "account.json").write_bytes(content)
    assert read_account(tmp_path / "account.json") is None


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-25T02:30:00", "02:30"])
def test_a_value_without_date_time_and_zone_is_rejected(moment: str) -> None:
    ran = keyvigil(
        "scan", "--unless-since", moment, env={"OPENAI_ADMIN_KEY": "sk-admin-0123456789"}
    )
    assert ran.code == 2
    error, advice = ran.err.splitlines()
    assert error.startswith(f"error: --unless-since {moment} ")
    assert "2026-11-25T02:30:00+01:00" in advice


RECORDED, SKIPPED = Account(fate=Fate.RECORDED, scan_id="s"), Account(fate=Fate.SKIPPED)


@pytest.mark.parametrize(
    ("accounts", "fate"),
    [
        ([RECORDED, RECORDED], Fate.RECORDED),
        ([SKIPPED, RECORDED], Fate.RECORDED),
        ([SKIPPED, SKIPPED], Fate.SKIPPED),
        ([RECORDED, Account(fate=Fate.LOCKED)], Fate.LOCKED),
        ([Account(fate=Fate.LOCKED), Account(fate=Fate.UNRECORDED)], Fate.UNRECORDED),
        ([RECORDED, None], None),
    ],
)
def test_of_several_the_account_is_what_is_still_to_be_made_good(
    accounts: list[Account | None], fate: Fate | None
) -> None:
    account = account_of_all(accounts)
    assert (account and account.fate) == fate


def test_several_are_complete_and_settled_only_if_each_is() -> None:
    half = RECORDED.model_copy(update={"is_complete": False, "is_settled": False, "keys": 3})
    account = account_of_all([RECORDED.model_copy(update={"keys": 4}), half])
    assert account is not None
    assert (account.is_complete, account.is_settled, account.keys) == (False, False, 7)
