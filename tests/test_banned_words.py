"""Product text uses the plain words of the glossary: a short list of words that it does not use.

Checked are strings, docstrings and comments of the package, the documents, what is deployed, and
the public names in them: `let_be` counts as `let be`.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT

BANNED: Final = {
    r"mend(?:s|ed|ing)?": "fix, remediate, resolve",
    r"let (?:people |keys )?be|spared?": "skip, exempt",
    r"anew": "again",
    r"nights?|tonight|nightly": "scan",
    r"walk(?:s|ed|ing)?": "collect",
    r"judg(?:e|es|ed|ing|e?ments?)|docket": "evaluate",
    r"whoever|nobody|somebody|anybody": "the actor, or the passive",
    r"tells?|told|telling": "notify, report",
    r"says?|said|saying": "state, print, report",
    r"asks?|asked|asking|hears?|heard": "request, receive",
    r"(?:is|are|was|were) to be|shall": "will, must, should",
    r"for want of|otherwise than|as it is|all the same|lest": "plain words",
    r"(?<!there )(?:is|are|was|were) no(?! longer)": "is not a",
    r"no more(?! than)": "no longer",
    r"le(?:ave|ft|aves|aving) out": "omit",
    r"what (?:became|becomes|came|comes) of": "the outcome",
    r"given an end": "will be set to expire",
}
"""A pattern of words -> what is written instead."""
EXEMPT: Final = {
    "CHANGELOG.md": ("mended",),
    "scanner/lifecycle.py": ("mended", "lowered", "persisting", "owner_back"),
    "scanner/store/migrations/versions/0008_names.py": ("mended",),
    "scanner/store/migrations/versions/0001_history.py": ("events_by_night", "scans_by_night"),
    "scanner/store/migrations/versions/0002_actions.py": ("plans_by_night",),
    "scanner/store/migrations/versions/0004_journal.py": ("journal_told", "last_told_at"),
    "scanner/store/schema.py": (
        "events_by_night",
        "scans_by_night",
        "journal_told",
        "last_told_at",
    ),
    "scanner/alerts/slack_sending.py": ('"asked"',),
}
"""By file: old names that are still read, and names in stored data, which no user sees."""
_CODE: Final = re.compile(r"`[^`]*`|\{\{.*?\}\}|\{%.*?%\}")
"""Names in code: these follow when the modules do."""
_VALUE: Final = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
"""A value in an f-string."""
TEXTS: Final = (
    "reports",
    "policies",
    "docs",
    "deploy",
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
_UNREADABLE: Final = {".png", ".gz", ".pyc", ".ico", ".lock"}
_PATTERN: Final = re.compile(rf"\b(?:{'|'.join(BANNED)})\b", re.IGNORECASE)
_QUOTED: Final = (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1))


def words_of(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of strings, docstrings and comments, numbered."""
    source = io.BytesIO(module.read_bytes())
    for token in tokenize.tokenize(source.readline):
        if token.type in _QUOTED:
            is_template = token.string.partition('"')[0].lower() in {"f", "rf", "fr"}
            text = _VALUE.sub("", token.string) if is_template else token.string
            yield from enumerate(text.splitlines(), token.start[0])


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    if file.suffix == ".py":
        yield from words_of(file)
    else:
        yield from enumerate(file.read_text(encoding="utf-8").splitlines(), 1)


def files() -> list[Path]:
    named = [ROOT / name for name in TEXTS]
    found = [one for name in named for one in ([name] if name.is_file() else name.rglob("*"))]
    found += (ROOT / "scanner").rglob("*.py")
    return sorted(one for one in found if one.is_file() and one.suffix not in _UNREADABLE)


def banned_in(line: str, exempt: tuple[str, ...] = ()) -> list[str]:
    for phrase in exempt:
        line = line.replace(phrase, "")
    return _PATTERN.findall(_CODE.sub("", line).replace("_", " "))


@pytest.mark.parametrize("file", files(), ids=lambda one: str(one.relative_to(ROOT)))
def test_product_text_uses_plain_words(file: Path) -> None:
    exempt = EXEMPT.get(str(file.relative_to(ROOT)), ())
    found = [
        f"{file.relative_to(ROOT)}:{number}: {banned_in(line, exempt)} in {line.strip()}"
        for number, line in lines_of(file)
        if banned_in(line, exempt)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("file", "phrase"), [(f, p) for f, ps in EXEMPT.items() for p in ps])
def test_every_exemption_is_needed(file: str, phrase: str) -> None:
    assert phrase in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", BANNED)
def test_each_banned_word_is_found_also_in_a_name(pattern: str) -> None:
    first = re.sub(r"\(\?<?!.*?\)", "", pattern)
    word = re.sub(r"\(\?:([^|()]*)[^()]*\)\??", r"\1", first).partition("|")[0]
    assert banned_in(f"a {word} b")
    assert banned_in(f"a_{word.replace(' ', '_')}_b")
    assert not banned_in(f"x{word}")
