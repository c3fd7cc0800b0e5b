"""Evidence as text: short if the fact suffices, and readable for every condition."""

from datetime import timedelta

import pytest

from scanner.finding import Evidence
from scanner.inventory import Unknown
from scanner.words import in_words


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence("age", timedelta(days=134, hours=5), "over 90d"), "134 days old, limit 90 days"),
        (
            Evidence("lifetime", timedelta(hours=30), "at least 1d"),
            "lifetime of 30 hours, at least 1 day",
        ),
        (Evidence("used", False, "is no"), "never used"),  # noqa: FBT003 - a fact's value
        (Evidence("owner.state", "left_org", "is left_org"), "owner left the organization"),
        (
            Evidence("owner.state", "left_org", "one of disabled, left_org"),
            "owner left the organization, which is one of disabled, left_org",
        ),
        (
            Evidence("owner.email", None, "unlike *@corp.com"),
            "owner.email is absent, which does not match *@corp.com",
        ),
        (
            Evidence("owner.email", "eve@x.com", "not: like *@corp.com"),
            "owner's address is eve@x.com, which does not match *@corp.com",
        ),
        (Evidence("age", timedelta(days=3), "not: over 90d"), "3 days old, not over 90 days"),
        (Evidence("owner.email", None, "known no"), "owner.email is absent"),
        (Evidence("key.name", "{0}{}", "matches ^{"), "key's name is {0}{}, which matches ^{"),
        (Evidence("key.id", "key_1", "not key_2"), "key.id is key_1, which is not key_2"),
        (
            Evidence("idle", timedelta(days=3), "over 2d", "usage"),
            "not used for 3 days (by usage), limit 2 days",
        ),
        (Evidence("age", Unknown(reason="not listed"), "over 90d"), "age is unknown: not listed"),
    ],
)
def test_evidence_reads_as_a_sentence(evidence: Evidence, expected: str) -> None:
    assert in_words(evidence) == expected
