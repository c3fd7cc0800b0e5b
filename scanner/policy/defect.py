"""The defect that a rule finds, in words: its `finding` text, or one made of its condition. Pure.

In a `finding` text, `{age}` is the key's value of a fact that `violated_when` names, and `{limit}`
the last number or duration that it compares with.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from scanner.durations import spell, spell_exactly
from scanner.figures import format_amount
from scanner.finding import Value, describe
from scanner.policy.conditions import AllOf, AnyOf, Condition, Leaf, Not
from scanner.policy.operators import MANY, ORDER, Operator, Scalar, spelled
from scanner.policy.registry import FACTS, FactType

LIMIT: Final = "limit"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_ASIDE: Final = re.compile(r"\s*\([^()]*\{limit\}[^()]*\)")
"""A part in parentheses that names the limit."""
_SUBJECTS: Final = ("key ", "key's ", "admin key", "owner", "project", "service account")
_DENIALS: Final = {Operator.NOT: Operator.IS, Operator.NONE_OF: Operator.ONE_OF}


def unknown_placeholders(text: str, condition: Condition) -> tuple[str, ...]:
    """Return the placeholders of a `finding` text that stand for nothing in the condition."""
    known = allowed_placeholders(condition)
    return tuple(name for name in _PLACEHOLDER.findall(text) if name not in known)


def allowed_placeholders(condition: Condition) -> tuple[str, ...]:
    """Return the placeholders that a `finding` text can use."""
    return (*sorted(condition.names), *([LIMIT] if _limit_of(condition) is not None else ()))


def with_limit(text: str, condition: Condition) -> str:
    """Return the text for one key: the limit written out, its facts still placeholders.

    "" if a placeholder stands for nothing: the condition was changed and the text was not.
    """
    limit = _limit_of(condition)
    if unknown_placeholders(text, condition):
        return ""
    return text if limit is None else text.replace(f"{{{LIMIT}}}", spell_limit(limit))


def for_many(text: str, condition: Condition) -> str:
    """Return the text for all keys: `over 90 days` in the place of a value.

    Then an aside such as `(limit {limit})` is omitted: it would repeat the limit.
    """
    if not with_limit(text, condition):
        return derived(condition)
    bounds = {leaf.fact.name: _bound(leaf) for leaf in _leaves(condition)}
    if any(name != LIMIT for name in _PLACEHOLDER.findall(text)):
        text = _ASIDE.sub("", text)
    return _PLACEHOLDER.sub(lambda found: bounds[found[1]], with_limit(text, condition))


def for_key(text: str, values: dict[str, str]) -> str | None:
    """Return the text with a key's values in it; None if one is missing."""
    names = _PLACEHOLDER.findall(text)
    if any(name not in values for name in names):
        return None
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def derived(condition: Condition) -> str:
    """Return a defect for a rule without a `finding` text: `Key: over 90 days old`."""
    return about_key(_words(condition))


def about_key(words: str) -> str:
    """Return words about a key as a title: what does not name its subject is about the key."""
    if words.startswith(_SUBJECTS):
        return f"{words[0].upper()}{words[1:]}"
    return f"Key: {words}"


def spell_value(value: Value, limit: timedelta | Decimal | None = None) -> str:
    """Spell a fact's value for people: `134 days`; it differs visibly from its limit."""
    match value:
        case timedelta():
            return spell(value, limit if isinstance(limit, timedelta) else None)
        case Decimal():
            return format_amount(value, limit if isinstance(limit, Decimal) else value, ",")
        case int() if not isinstance(value, bool):
            return f"{value:,}"
        case _:
            return describe(value)


def spell_limit(limit: Scalar) -> str:
    """Spell all of a limit: `90 days`, `1,500`."""
    if isinstance(limit, timedelta):
        return spell_exactly(limit)
    return spell_value(Decimal(limit) if type(limit) is int else limit)


@lru_cache(maxsize=4096)
def phrase(name: str, value: str) -> str:
    """Return a fact and its value as a phrase: `134 days old`, `owner is disabled`."""
    words = FACTS[name].words if name in FACTS else ""
    if isinstance(words, str):
        return words.format(value) if words else f"{name} is {value}"
    return words.get(value, f"{name} is {value}")


def _label(name: str) -> str:
    return name.replace(".", " ").replace("_", " ")


def _words(condition: Condition) -> str:
    match condition:
        case Leaf():
            return _leaf(condition)
        case AllOf() | AnyOf():
            parts = (
                f"({_words(part)})" if isinstance(part, AllOf | AnyOf) else _words(part)
                for part in condition.parts
            )
            return f" {condition.word} ".join(parts)
        case Not(part=part):
            return f"not ({_words(part)})"
        case _:
            return str(condition)


def _leaf(leaf: Leaf) -> str:
    name, op, limit = leaf.fact.name, leaf.operator, leaf.limit
    if op in ORDER:
        return phrase(name, _bound(leaf))
    is_stated = leaf.fact.type is not FactType.TEXT or isinstance(leaf.fact.words, str)
    if op is Operator.KNOWN:
        return f"{_label(name)} is {'known' if limit else 'unknown'}"
    if op in (Operator.IS, Operator.ONE_OF) and is_stated:
        values = limit if isinstance(limit, tuple) else (limit,)
        return " or ".join(phrase(name, spell_value(value)) for value in values)
    if leaf.fact.type is FactType.BOOLEAN and op is Operator.NOT:
        return phrase(name, describe(not limit))
    if op in _DENIALS:
        values = limit if isinstance(limit, tuple) else (limit,)
        denied = ", ".join(spell_value(value) for value in values)
        return f"{_label(name)} is {'none of' if op in MANY else 'not'} {denied}"
    return f"{_label(name)} {spelled(op, limit)}"


def _bound(leaf: Leaf) -> str:
    """Return what a violation's value is by its limit: `over 90 days`, `left_org`."""
    values = leaf.limit if isinstance(leaf.limit, tuple) else (leaf.limit,)
    words = ", ".join(spell_limit(value) for value in values)
    return words if leaf.operator is Operator.IS else f"{leaf.operator.replace('_', ' ')} {words}"


def limits(condition: Condition) -> tuple[Scalar, ...]:
    """Return the numbers and durations that the condition compares with."""
    return tuple(
        leaf.limit
        for leaf in _leaves(condition)
        if leaf.operator in ORDER and not isinstance(leaf.limit, tuple)
    )


def _limit_of(condition: Condition) -> Scalar | None:
    """Return the last number or duration that the condition compares with, if there is one."""
    return next(reversed(limits(condition)), None)


def _leaves(condition: Condition) -> Iterator[Leaf]:
    match condition:
        case Leaf():
            yield condition
        case AllOf() | AnyOf():
            for part in condition.parts:
                yield from _leaves(part)
        case Not(part=part):
            yield from _leaves(part)
        case _:
            return
