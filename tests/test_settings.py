from pathlib import Path

import pytest

from scanner.errors import CredentialError, UsageError
from scanner.openai_api.connections import Network
from scanner.references import Reference
from scanner.secret import Secret
from scanner.setting import Chosen
from scanner.settings import (
    Settings,
    StoreSettings,
    find_place,
    read_settings,
    refuse_misspelt,
    store_settings,
)
from scanner.settings_table import CONCURRENCY, DEADLINE, KEEP_SNAPSHOTS, STORE, TIMEOUT

KEY = "sk-admin-0123456789abcdefghijklmnop"


def test_the_key_alone_leads_to_openai() -> None:
    assert read_settings(Chosen(), {"OPENAI_ADMIN_KEY": f" {KEY}\n"}) == Settings(
        admin_key=Secret(KEY),
        base_url="https://api.openai.com/v1",
        concurrency=32,
        deadline=None,
        network=Network(proxy=None, ca_bundle=None, timeout=45.0),
    )


def test_what_was_chosen_is_what_is_done() -> None:
    values = {CONCURRENCY.parameter: 3, DEADLINE.parameter: 2.0, TIMEOUT.parameter: 9.0}
    settings = read_settings(Chosen(values=values), {"OPENAI_ADMIN_KEY": KEY})
    assert (settings.concurrency, settings.deadline) == (3, 120.0)
    assert settings.network == Network(timeout=9.0)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "OPENAI_ADMIN_KEY is not set"),
        ("  ", "OPENAI_ADMIN_KEY is not set"),
        ("sk-proj-0123456789abcdef", r"holds a project key \(sk-proj-"),
        ("sk-svcacct-0123456789abcdef", "holds a service account's project key"),
        ("sk-0123456789abcdef", "holds a user or project key"),
        ("ghp_0123456789abcdef", "holds something else than a key of OpenAI"),
        ("sk-admin-with a blank", "holds characters that no key has"),
        ("sk-admin-ключ", "holds characters that no key has"),
    ],
)
def test_what_cannot_be_an_admin_key_is_refused_before_anything_is_sent(
    key: str | None, message: str
) -> None:
    with pytest.raises(CredentialError, match=message) as caught:
        read_settings(Chosen(), {} if key is None else {"OPENAI_ADMIN_KEY": key})
    assert caught.value.help
    assert "0123456789" not in str(caught.value)


def test_a_key_from_elsewhere_is_held_to_the_same_and_named_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-proj-0123456789abcdef")
    reference = Reference(file=file, at="k.yaml:3:15")
    with pytest.raises(CredentialError, match=r"^k\.yaml:3:15: the file .*key holds a project key"):
        read_settings(Chosen(), {"OPENAI_ADMIN_KEY": KEY}, reference)
    file.write_text(f"{KEY}\n")
    assert read_settings(Chosen(), {}, reference).admin_key == Secret(KEY)


def test_the_history_is_where_it_was_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "place"
    file.write_text("postgresql://u:secret@db/k\n")
    environment = {"DB": "postgresql://u:other@db/k"}
    values = {STORE.parameter: Secret("env:DB"), KEEP_SNAPSHOTS.parameter: 2}
    assert store_settings(Chosen(values=values), environment) == StoreSettings(
        place=Secret("postgresql://u:other@db/k"), keep_snapshots=2
    )
    assert find_place(f"file:{file}", {}) == Secret("postgresql://u:secret@db/k")
    assert find_place("history.db", {}) == Secret("history.db")
    assert find_place("none", {}) is None
    with pytest.raises(CredentialError, match="The place of the history: DB is not set"):
        find_place("env:DB", {})


def test_a_misspelt_name_of_ours_is_refused_and_other_names_are_not_ours() -> None:
    with pytest.raises(UsageError, match="KEYVIGIL_FAILON, which is not a setting") as caught:
        refuse_misspelt({"KEYVIGIL_FAILON": "high"})
    assert caught.value.help == "Did you mean KEYVIGIL_FAIL_ON?"
    refuse_misspelt({"KEYVIGIL_FAIL_ON": "high", "KEYVIGIL_SERVICE_HOST": "10.0.0.1"})


def test_a_renamed_variable_is_rejected_with_its_present_name() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_misspelt({"KEYVIGIL_AT_ONCE": "2"})
    assert caught.value.help == "It is now KEYVIGIL_PARALLEL."
