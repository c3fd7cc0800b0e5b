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
from tests.support.prose import Prose

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
    "key",
    [
        None,
        "  ",
        "sk-proj-0123456789abcdef",
        "sk-svcacct-0123456789abcdef",
        "sk-0123456789abcdef",
        "ghp_0123456789abcdef",
        "sk-admin-with a blank",
        "sk-admin-ключ",
    ],
)
def test_a_text_that_is_not_an_admin_key_is_rejected_before_any_request(
    key: str | None, prose: Prose
) -> None:
    with pytest.raises(CredentialError, match="OPENAI_ADMIN_KEY") as caught:
        read_settings(Chosen(), {} if key is None else {"OPENAI_ADMIN_KEY": key})
    assert "0123456789" not in f"{caught.value}{caught.value.help}"
    prose(f"{caught.value}\n{caught.value.help}")


def test_a_key_from_a_file_is_checked_as_well_and_named_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-proj-0123456789abcdef")
    reference = Reference(file=file, at="k.yaml:3:15")
    with pytest.raises(CredentialError, match=r"^k\.yaml:3:15: .*sk-proj-\.\.\."):
        read_settings(Chosen(), {"OPENAI_ADMIN_KEY": KEY}, reference)
    file.write_text(f"{KEY}\n")
    assert read_settings(Chosen(), {}, reference).admin_key == Secret(KEY)


def test_the_location_of_the_history_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
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
    with pytest.raises(CredentialError, match="DB is not set"):
        find_place("env:DB", {})


def test_a_misspelt_setting_is_rejected_and_other_variables_are_ignored() -> None:
    with pytest.raises(UsageError, match="KEYVIGIL_FAILON ") as caught:
        refuse_misspelt({"KEYVIGIL_FAILON": "high"})
    assert "KEYVIGIL_FAIL_ON?" in str(caught.value.help)
    refuse_misspelt({"KEYVIGIL_FAIL_ON": "high", "KEYVIGIL_SERVICE_HOST": "10.0.0.1"})


def test_a_renamed_variable_is_rejected_with_its_present_name() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_misspelt({"KEYVIGIL_AT_ONCE": "2"})
    assert "KEYVIGIL_PARALLEL" in str(caught.value.help)
