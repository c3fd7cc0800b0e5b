"""Errors have stable codes, which the documentation lists."""

from itertools import chain

from scanner.errors import ApiError, KeyVigilError
from tests.conftest import ROOT


def subclasses(of: type[KeyVigilError]) -> set[type[KeyVigilError]]:
    ours = set(of.__subclasses__())
    return ours.union(chain.from_iterable(map(subclasses, ours)))


def test_each_error_has_a_code_of_its_own_that_the_documentation_lists() -> None:
    ours = {one for one in subclasses(KeyVigilError) if one.__module__ == "scanner.errors"}
    codes = [one.__dict__["code"] for one in ours]
    assert len(set(codes)) == len(codes)
    documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [code for code in codes if f"`{code}`" not in documented] == [ApiError.code]
