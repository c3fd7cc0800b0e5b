"""The policy language as a JSON Schema, for editors: made from the parser's registry. Pure.

It accepts what the parser accepts, except for rules that a schema cannot express:
docs/policies.md lists them.
"""

from typing import Final

from scanner.durations import PATTERN
from scanner.policy.explain import GROUPS
from scanner.policy.facts import FACTS
from scanner.policy.operators import MANY, MEANINGS, ORDER, Operator, operators_of
from scanner.policy.operators import PATTERN as PATTERNS
from scanner.policy.parse_condition import MOST
from scanner.policy.parse_rule import CONTROL, NAME, OPTIONAL, REQUIRED
from scanner.policy.registry import Fact, FactType
from scanner.revocation import Method
from scanner.schemas import NOT_ZERO, TEXT, Schema, mapping, one_or_more, some, text_of
from scanner.severity import Severity

_NAME: Final = text_of(NAME)
_DURATION: Final = text_of(PATTERN)
_NOT_ZERO: Final = text_of(f"{NOT_ZERO}{PATTERN}")
_EXACT: Final = text_of(r"(?=[\s\S]*\S)[^*]+")
"""A text that is compared literally: a * would look like a pattern."""
_DAY: Final = text_of(
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_CONDITION: Final[Schema] = {"$ref": "#/$defs/condition"}


def policy_schema() -> Schema:
    """Return the JSON Schema of a policy file; docs/policy.schema.json is this."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "KeyVigil policy",
        **mapping(
            {
                "policy": {**_NAME, "description": "The policy's name."},
                "description": TEXT,
                "extends": one_or_more(TEXT),
                "rules": {"type": "array"},
                "exceptions": some({"$ref": "#/$defs/exception"}),
            },
            required=("policy",),
        ),
        "if": {"required": ["extends"]},
        "then": {
            "properties": {
                "rules": {
                    "items": {"anyOf": [{"$ref": "#/$defs/rule"}, {"$ref": "#/$defs/override"}]}
                }
            }
        },
        "else": {
            "required": ["rules"],
            "properties": {"rules": some({"$ref": "#/$defs/rule"})},
        },
        "$defs": {
            "rule": {**mapping(_rule_fields(), required=REQUIRED), "allOf": _steps_only_raise()},
            "override": _override(),
            "exception": _exception(),
            "condition": _condition(),
            "example": {
                **mapping({name: _given(fact) for name, fact in sorted(FACTS.items())}),
                "minProperties": 1,
            },
        },
    }


def _override() -> Schema:
    """Return the schema of an entry that either changes an inherited rule or disables it."""
    fields = {**_rule_fields(), "disabled": {"const": True}, "reason": TEXT}
    is_disabled = {"anyOf": [{"required": [name]} for name in ("disabled", "reason")]}
    only = {"propertyNames": {"enum": ["id", "disabled", "reason"]}}
    return {
        **mapping(fields, required=("id",)),
        "if": is_disabled,
        "then": {"required": ["disabled", "reason"], **only},
        "allOf": _steps_only_raise(),
    }


def _steps_only_raise() -> list[Schema]:
    """Return schemas that limit the steps of each severity to worse ones."""
    worse = {severity: list(Severity)[: severity.rank] for severity in Severity}
    return [
        {
            "if": {"properties": {"severity": {"const": severity}}, "required": ["severity"]},
            "then": {"properties": {"severity_when": {"propertyNames": {"enum": steps}}}},
        }
        for severity, steps in worse.items()
    ]


def _rule_fields() -> Schema:
    fields: Schema = {
        "id": {**_NAME, "description": "Identifies the rule's findings in every scan."},
        "title": {**TEXT, "description": "The requirement, shown where rules are listed."},
        "finding": {
            **TEXT,
            "description": "The defect, shown for a key that violates the rule. {age} is the"
            " key's value of a fact in violated_when, {limit} the limit it is compared with.",
        },
        "severity": {"enum": list(Severity)},
        "severity_when": {**mapping(dict.fromkeys(Severity, _CONDITION)), "minProperties": 1},
        "applies_to": {**_CONDITION, "description": "Default: every key."},
        "violated_when": _CONDITION,
        "why": {**TEXT, "description": "The risk of a violation."},
        "fix": {**TEXT, "description": "How to fix a violation."},
        "controls": some(text_of(CONTROL)),
        "respond": mapping(
            {"revoke": {"enum": list(Method)}, "after": _NOT_ZERO}, required=("revoke", "after")
        ),
        "examples": mapping(
            {kind: some({"$ref": "#/$defs/example"}) for kind in ("violating", "compliant")}
        ),
    }
    return {name: fields[name] for name in (*REQUIRED, *OPTIONAL)}


def _exception() -> Schema:
    return mapping(
        {
            "rule": one_or_more(_NAME),
            "when": _CONDITION,
            "reason": TEXT,
            "owner": {**TEXT, "description": "Who is responsible for it."},
            "ticket": TEXT,
            "expires": {
                **_DAY,
                "format": "date",
                "description": "The last day on which it applies, in UTC.",
            },
        },
        required=("rule", "when", "reason", "owner", "expires"),
    )


def _condition() -> Schema:
    groups: Schema = {
        word: {**(_CONDITION if word == "not" else some(_CONDITION)), "description": meaning}
        for word, meaning in GROUPS.items()
    }
    facts = {name: _fact(fact) for name, fact in sorted(FACTS.items())}
    return {**mapping({**facts, **groups}), "minProperties": 1}


def _fact(fact: Fact) -> Schema:
    """Return the schema of a fact's test: a value, a list of values, or operators."""
    operators = operators_of(fact.type)
    tests = {op.value: {**_limit(fact, op), "description": MEANINGS[op]} for op in operators}
    forms: list[Schema] = [{**mapping(tests), "minProperties": 1}]
    if Operator.IS in operators:
        forms.append(_limit(fact, Operator.IS))
    if Operator.ONE_OF in operators:
        forms.append(_limit(fact, Operator.ONE_OF))
    return {"description": fact.meaning, "anyOf": forms}


def _limit(fact: Fact, op: Operator) -> Schema:
    if op is Operator.KNOWN:
        return {"type": "boolean"}
    value = _value(fact)
    if op in ORDER and fact.type is FactType.DURATION and fact.name != "expires_in":
        value = _NOT_ZERO
    if fact.type is FactType.TEXT and op not in PATTERNS:
        value = _EXACT
    return some(value) if op in MANY else value


def _value(fact: Fact) -> Schema:
    match fact.type:
        case FactType.BOOLEAN:
            return {"type": "boolean"}
        case FactType.CHOICE:
            return {"enum": list(fact.choices)}
        case FactType.DURATION:
            return _DURATION
        case FactType.NUMBER:
            kind = "number" if fact.decimals else "integer"
            return {"type": kind, "minimum": 0, "maximum": MOST}
        case FactType.TEXT:
            return TEXT


def _given(fact: Fact) -> Schema:
    return {"description": fact.meaning, "anyOf": [_value(fact), {"type": "null"}]}
