"""Which history a scan continues: by its name, or by its projects where the name is new."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scanner.errors import UsageError
from scanner.identity import UNNAMED, KnownHistory, NameSource, identify
from tests.factories import NOW

API, CHOSEN, DEFAULT = NameSource.API, NameSource.CHOSEN, NameSource.DEFAULT


def a_known(name: str, source: NameSource, *more: tuple[str, NameSource]) -> KnownHistory:
    return KnownHistory(
        organization=name, names=((name, source), *more), has_projects=True, last_scan=NOW
    )


def test_an_organization_that_no_history_shares_a_project_with_starts_one() -> None:
    for source in NameSource:
        identity = identify("acme", source, None, ())
        assert (identity.organization, identity.is_new) == ("acme", True)
        assert (identity.renamed_from, identity.others) == (None, ())


def test_a_name_that_the_api_changed_continues_the_history_of_its_projects() -> None:
    for before in (a_known("acme", API), a_known("key-0123abcd", DEFAULT)):
        identity = identify("acme-corp", API, None, [before])
        assert (identity.organization, identity.name) == (before.organization, "acme-corp")
        assert (identity.renamed_from, identity.is_new) == (before.name, False)
        renamed = replace(before, names=(*before.names, ("acme-corp", API)))
        assert identify("acme-corp", API, renamed, [renamed]).renamed_from is None


def test_no_name_continues_the_history_of_its_projects_and_renames_nothing() -> None:
    for before in (a_known("acme", API), a_known("key-0123abcd", DEFAULT)):
        identity = identify(UNNAMED, DEFAULT, None, [before])
        assert (identity.organization, identity.name) == (before.organization, before.name)
        assert (identity.renamed_from, identity.is_new) == (None, False)


def test_of_several_histories_of_one_organization_the_latest_is_continued() -> None:
    old = a_known("key-00000000", DEFAULT)
    new = replace(a_known("key-11111111", DEFAULT), last_scan=NOW + timedelta(days=1))
    assert identify(UNNAMED, DEFAULT, None, [new, old]).organization == new.organization


def test_the_history_with_the_name_comes_first_among_those_that_share_projects() -> None:
    known = a_known("acme", API)
    other = replace(a_known("acme-corp", API), last_scan=NOW + timedelta(days=1))
    assert identify("acme", API, known, [known, other]).organization == "acme"


def test_a_history_that_another_process_recorded_a_scan_in_meanwhile_is_the_same() -> None:
    for source in NameSource:
        known = a_known("acme", source)
        shared = replace(known, last_scan=NOW + timedelta(days=1))
        identity = identify("acme", API, known, [shared])
        assert (identity.organization, identity.renamed_from) == ("acme", None)


def test_a_chosen_name_is_kept_apart_and_the_other_history_reported() -> None:
    for other in (a_known("acme", API), a_known("prod", CHOSEN)):
        identity = identify("weekly", CHOSEN, None, [other])
        assert (identity.organization, identity.is_new) == ("weekly", True)
        assert identity.others == (other.name,)
    weekly = a_known("weekly", CHOSEN)
    assert identify("acme", API, None, [weekly]).others == ("weekly",)


def test_a_chosen_name_continues_a_history_that_had_none() -> None:
    before = a_known("key-0123abcd", DEFAULT)
    identity = identify("acme", CHOSEN, None, [before])
    assert (identity.organization, identity.name) == ("key-0123abcd", "acme")
    assert identity.renamed_from == "key-0123abcd"
    named = a_known("key-0123abcd", DEFAULT, ("acme", CHOSEN))
    assert identify("weekly", CHOSEN, None, [named]).is_new
    assert identify(UNNAMED, DEFAULT, None, [named]).name == "acme"


@pytest.mark.parametrize("source", [API, DEFAULT])
def test_two_organizations_never_share_a_history_by_a_name_that_nobody_chose(
    source: NameSource,
) -> None:
    another = a_known("acme", source)
    with pytest.raises(UsageError) as caught:
        identify("acme", source, another, ())
    assert "--organization" in (caught.value.help or "")
    for known, has_projects in ((replace(another, has_projects=False), True), (another, False)):
        assert not identify("acme", source, known, (), has_projects=has_projects).is_new
    assert not identify("acme", CHOSEN, another, ()).is_new
