from scanner.collection import Collection
from scanner.coverage import CollectionCoverage, by_collection
from scanner.inventory import CoverageState, is_complete
from tests.factories import a_gap, a_listing, full_coverage


def test_a_walk_without_gaps_is_complete() -> None:
    assert is_complete(full_coverage("proj_1"))


def test_one_gap_makes_the_walk_incomplete() -> None:
    assert not is_complete((*full_coverage("proj_1"), a_gap(Collection.USERS)))


def test_a_collection_some_of_whose_listings_failed_is_partial() -> None:
    seen = a_listing(Collection.PROJECT_KEYS, project_id="proj_1", pages=2, items=120)
    gap = a_gap(Collection.PROJECT_KEYS, project_id="proj_2")
    assert by_collection((seen, gap)) == (
        CollectionCoverage(
            collection=Collection.PROJECT_KEYS,
            state=CoverageState.PARTIAL,
            listings=2,
            pages=2,
            items=120,
            gaps=(gap,),
        ),
    )


def test_a_collection_none_of_which_was_seen_is_unavailable() -> None:
    (row,) = by_collection((a_gap(Collection.USERS),))
    assert row.state is CoverageState.UNAVAILABLE


def test_a_project_that_was_gone_in_an_older_snapshot_is_a_gap() -> None:
    assert CoverageState("gone") is CoverageState.UNAVAILABLE


def test_a_listing_that_broke_off_is_partial() -> None:
    (row,) = by_collection(
        (a_gap(Collection.USERS, state=CoverageState.PARTIAL, pages=1, items=100),)
    )
    assert row.state is CoverageState.PARTIAL
