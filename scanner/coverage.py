"""The combined coverage of all listings of a collection."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from scanner.collection import Collection
from scanner.inventory import Coverage, CoverageState, is_complete


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionCoverage:
    """The combined coverage of all listings of one collection; `gaps` are those not complete."""

    collection: Collection
    state: CoverageState
    listings: int
    pages: int
    items: int
    gaps: tuple[Coverage, ...]


def by_collection(coverage: Iterable[Coverage]) -> tuple[CollectionCoverage, ...]:
    """Sum the listings up by collection, in the order of `Collection`."""
    groups: defaultdict[Collection, list[Coverage]] = defaultdict(list)
    for listing in coverage:
        groups[listing.collection].append(listing)
    return tuple(
        _summed(collection, groups[collection]) for collection in Collection if groups[collection]
    )


def _summed(collection: Collection, listings: list[Coverage]) -> CollectionCoverage:
    gaps = tuple(row for row in listings if row.state is not CoverageState.COMPLETE)
    if is_complete(listings):
        state = CoverageState.COMPLETE
    elif all(row.state is CoverageState.UNAVAILABLE for row in listings):
        state = CoverageState.UNAVAILABLE
    else:
        state = CoverageState.PARTIAL
    return CollectionCoverage(
        collection=collection,
        state=state,
        listings=len(listings),
        pages=sum(row.pages for row in listings),
        items=sum(row.items for row in listings),
        gaps=gaps,
    )
