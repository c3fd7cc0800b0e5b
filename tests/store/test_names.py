"""The names and projects of histories in the store."""

import gzip
import json
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from scanner.identity import Identified, Identity, NameSource
from scanner.store.database import open_database
from scanner.store.history import SqlStore
from scanner.store.schema import history_names, history_projects
from tests.factories import NOW
from tests.store.making import a_history, a_store

LATER = NOW + timedelta(days=1)


def named(
    store: SqlStore, name: str, source: NameSource, *ids: str, number: int = 0, under: str = ""
) -> None:
    organization, at = under or name, NOW + timedelta(days=number)
    identity = Identity(organization=organization, name=name, source=source)
    with store.hold(organization) as lease:
        night = a_history(at, number=number, organization=organization)
        identified = Identified(identity=identity, project_ids=ids)
        store.record(lease, night, b"seen", identified=identified)


def test_a_history_is_found_by_each_of_its_names_and_by_its_projects(place: str) -> None:
    store = a_store(place)
    assert not store.names.has_any()
    named(store, "acme", NameSource.API, "proj_1", "proj_2")
    named(store, "acme-corp", NameSource.API, "proj_2", "proj_3", number=1, under="acme")
    named(store, "labs", NameSource.CHOSEN, "proj_9", number=2)
    for name in ("acme", "acme-corp"):
        assert store.names.history_of(name) == "acme"
        assert len(store.nights(name, 9)) == 2
    assert store.names.shown_name("acme") == "acme-corp"
    for project in ("proj_1", "proj_3"):
        (found,) = store.names.sharing([project, "proj_elsewhere"])
        assert found == store.names.called("acme-corp")
        assert found.names == (("acme", NameSource.API), ("acme-corp", NameSource.API))
        assert (found.has_projects, found.last_scan) == (True, LATER)
    assert [one.name for one in store.names.sharing(["proj_1", "proj_9"])] == ["acme-corp", "labs"]
    assert store.names.sharing([]) == ()
    assert store.names.called("other") is None


def test_a_chosen_name_takes_precedence_over_later_names_of_the_api(place: str) -> None:
    store = a_store(place)
    named(store, "unnamed", NameSource.DEFAULT, "proj_1")
    named(store, "acme", NameSource.CHOSEN, "proj_1", number=1, under="unnamed")
    named(store, "org-x", NameSource.API, "proj_1", number=2, under="unnamed")
    assert store.names.shown_name("unnamed") == "acme"


def test_older_histories_get_names_and_projects(place: str) -> None:
    """A history stored under the admin key is found by its projects with another key."""
    store = a_store(place)
    kept: dict[str, Any] = {"key-0123abcd": None, "acme": "acme", "prod": "acme", "lost": None}
    for number, (name, by_api) in enumerate(kept.items()):
        inventory = {"organization": by_api, "projects": [{"id": f"proj_{number}"}]}
        content = gzip.compress(json.dumps({"inventory": inventory}).encode())
        with store.hold(name) as lease:
            night = a_history(NOW, number=number, organization=name)
            store.record(lease, night, b"damaged" if name == "lost" else content)
    database = open_database(place)
    with database.writing() as connection:
        for table in (history_names, history_projects):
            connection.execute(text(f"DROP TABLE {table.name}"))
        connection.execute(text("ALTER TABLE locks DROP COLUMN lease_seconds"))
        connection.execute(text("UPDATE keyvigil_version SET version_num = '0005'"))
    store = a_store(place)
    sources = {name: known.names for name in kept if (known := store.names.called(name))}
    assert sources == {
        "key-0123abcd": (("key-0123abcd", NameSource.DEFAULT),),
        "acme": (("acme", NameSource.API),),
        "prod": (("prod", NameSource.CHOSEN),),
        "lost": (("lost", NameSource.CHOSEN),),
    }
    assert [one.organization for one in store.names.sharing(["proj_0"])] == ["key-0123abcd"]
    assert store.names.sharing(["proj_3"]) == ()  # its snapshot cannot be read
