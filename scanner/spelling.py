"""Suggestions for unknown words."""

import difflib
from collections.abc import Iterable
from typing import Final

RENAMED: Final = {
    "at_once": "parallel",
    "place": "url",
    "place_env": "url_env",
    "place_file": "url_file",
    "--at-once": "--parallel",
    "KEYVIGIL_AT_ONCE": "KEYVIGIL_PARALLEL",
}
"""Settings, options and variables of older versions -> their current names."""
SYNONYMS: Final = {
    "condition": "violated_when",
    "filters": "violated_when",
    "when": "applies_to",
    "remediation": "fix",
    "rationale": "why",
    "description": "why",
    "eq": "is",
    "equals": "is",
    "greater": "over",
    "greater_than": "over",
    "gt": "over",
    "gte": "at_least",
    "less": "under",
    "less_than": "under",
    "lt": "under",
    "lte": "at_most",
    "older_than": "over",
    "regex": "matches",
    "glob": "like",
}
"""Words of other tools -> KeyVigil's."""


def is_near(word: str, choice: str) -> bool:
    """Whether a word was probably meant as the choice."""
    return bool(difflib.get_close_matches(word.lower(), [choice], n=1, cutoff=0.6))


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest choice, else list the choices.

    For an old name of one of the choices, return the new name.
    """
    choices = tuple(choices)
    if RENAMED.get(word) in choices:
        return f"; it was renamed to '{RENAMED[word]}'"
    if SYNONYMS.get(word) in choices:
        return f"; KeyVigil calls it '{SYNONYMS[word]}'"
    near = difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(choices)}"
