import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import UsageError
from scanner.formats.snapshot import Snapshot, read_snapshot, render_snapshot
from scanner.inventory import Inventory, Unknown
from tests.factories import NOW, a_key, a_mixed_inventory, an_admin_key, an_inventory


def there_and_back(path: Path, inventory: Inventory) -> Snapshot:
    path.write_bytes(render_snapshot(Snapshot(taken_at=NOW, inventory=inventory)))
    return read_snapshot(path)


def test_what_is_written_comes_back_equal_unknowns_and_all(tmp_path: Path) -> None:
    inventory = a_mixed_inventory()
    assert there_and_back(tmp_path / "s", inventory) == Snapshot(taken_at=NOW, inventory=inventory)


def test_every_kind_of_unknown_comes_back(tmp_path: Path) -> None:
    untold = Unknown(reason="not told", possible=frozenset({"a", "b"}))
    keys = (
        an_admin_key(kind=untold),
        a_key(last_used_at=untold, expires_at=untold, project_access=untold),
    )
    inventory = an_inventory(keys=keys)
    assert there_and_back(tmp_path / "s", inventory).inventory == inventory


@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_comes_back(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    inventory = an_inventory(keys=(a_key(name=name),))
    path = tmp_path_factory.getbasetemp() / "name.snapshot"
    assert there_and_back(path, inventory).inventory == inventory


def test_equal_snapshots_are_equal_files() -> None:
    snapshot = Snapshot(taken_at=NOW, inventory=a_mixed_inventory())
    assert render_snapshot(snapshot) == render_snapshot(snapshot)


GOOD = gzip.decompress(render_snapshot(Snapshot(taken_at=NOW, inventory=an_inventory())))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Invalid JSON"),
        (b"{}", "it is not gzipped"),
        (gzip.compress(GOOD)[:-20], "truncated or damaged"),
        (gzip.compress(GOOD[:100]), "Invalid JSON"),
        (gzip.compress(b"{}", mtime=0), "taken_at: Field required"),
        (gzip.compress(GOOD.replace(b"snapshot/1", b"snapshot/2")), "schema: Input should be"),
        (gzip.compress(GOOD.replace(b'"project"', b'"kind"')), "inventory.keys.0.kind"),
    ],
)
def test_anything_else_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_snapshot(path)
    assert f"{path} " in str(caught.value)
    assert "keyvigil.snapshot/1" in str(caught.value)
    assert why in str(caught.value)


def test_a_missing_snapshot_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_snapshot(tmp_path / "none")


def test_no_secret_is_in_it() -> None:
    assert set(json.loads(GOOD)) == {"schema", "taken_at", "inventory"}
    assert b"sk-admin-0" not in GOOD
