"""The language as a JSON Schema, for editors: made from the registry that parsing uses. Pure.

It completes and refuses what an editor can see; `policies validate` sees more.
"""

from collections.abc import Iterable
from typing import Any, Final

from scanner.policy.explain import GROUPS
from scanner.policy.facts import FACTS
from scanner.policy.operators import MANY, MEANINGS, Operator, operators_of
from scanner.policy.parse_rule import OPTIONAL, REQUIRED
from scanner.policy.registry import Fact, FactType
from scanner.revocation import Method
from scanner.severity import Severity

Schema = dict[str, Any]

_NAME: Final[Schema] = {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
_TEXT: Final[Schema] = {"type": "string", "pattern": "\\S"}
_DURATION: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9]{1,7}[wdh]( ?[0-9]{1,7}[wdh]){0,4}$",
}
_CONDITION: Final[Schema] = {"$ref": "#/$defs/condition"}


def policy_schema() -> Schema:
    """Return the JSON Schema of a policy file; docs/policy.schema.json is this."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "KeyVigil policy",
        **_object(
            {
                "policy": {**_NAME, "description": "The policy's name."},
                "description": _TEXT,
                "extends": {"anyOf": [_TEXT, _some(_TEXT)]},
                "rules": {"type": "array"},
                "exceptions": _some({"$ref": "#/$defs/exception"}),
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
            "properties": {"rules": _some({"$ref": "#/$defs/rule"})},
        },
        "$defs": {
            "rule": _object(_rule_fields(), required=REQUIRED),
            "override": _object(
                {**_rule_fields(), "disabled": {"const": True}, "reason": _TEXT}, required=("id",)
            ),
            "exception": _exception(),
            "condition": _condition(),
            "example": _object({name: _given(fact) for name, fact in sorted(FACTS.items())}),
        },
    }


def _rule_fields() -> Schema:
    fields: Schema = {
        "id": {**_NAME, "description": "A finding is known by it from night to night."},
        "title": _TEXT,
        "severity": {"enum": list(Severity)},
        "severity_when": _object(dict.fromkeys(Severity, _CONDITION)),
        "applies_to": {**_CONDITION, "description": "Every key without it."},
        "violated_when": _CONDITION,
        "why": {**_TEXT, "description": "What goes wrong otherwise."},
        "fix": {**_TEXT, "description": "What the reader of the report should do."},
        "controls": _some({"type": "string", "pattern": "^[a-z0-9.-]+:[A-Za-z0-9.()-]+$"}),
        "respond": _object(
            {"revoke": {"enum": list(Method)}, "after": _DURATION}, required=("revoke", "after")
        ),
        "examples": _object(
            {kind: _some({"$ref": "#/$defs/example"}) for kind in ("violating", "compliant")}
        ),
    }
    return {name: fields[name] for name in (*REQUIRED, *OPTIONAL)}


def _exception() -> Schema:
    return _object(
        {
            "rule": {"anyOf": [_NAME, _some(_NAME)]},
            "when": _CONDITION,
            "reason": _TEXT,
            "owner": {**_TEXT, "description": "Who answers for it."},
            "ticket": _TEXT,
            "expires": {
                "type": "string",
                "format": "date",
                "description": "The last day on which it holds, in UTC.",
            },
        },
        required=("rule", "when", "reason", "owner", "expires"),
    )


def _condition() -> Schema:
    groups: Schema = {
        word: {**(_CONDITION if word == "not" else _some(_CONDITION)), "description": meaning}
        for word, meaning in GROUPS.items()
    }
    facts = {name: _fact(fact) for name, fact in sorted(FACTS.items())}
    return {**_object({**facts, **groups}), "minProperties": 1}


def _fact(fact: Fact) -> Schema:
    """Return what a fact may be held against: a value, a list of them, or operators."""
    operators = operators_of(fact.type)
    tests = {op.value: {**_limit(fact, op), "description": MEANINGS[op]} for op in operators}
    forms: list[Schema] = [{**_object(tests), "minProperties": 1}]
    if Operator.IS in operators:
        forms.append(_value(fact))
    if Operator.ONE_OF in operators:
        forms.append(_some(_value(fact)))
    return {"description": fact.meaning, "anyOf": forms}


def _limit(fact: Fact, op: Operator) -> Schema:
    if op is Operator.KNOWN:
        return {"type": "boolean"}
    return _some(_value(fact)) if op in MANY else _value(fact)


def _value(fact: Fact) -> Schema:
    match fact.type:
        case FactType.BOOLEAN:
            return {"type": "boolean"}
        case FactType.CHOICE:
            return {"enum": list(fact.choices)}
        case FactType.DURATION:
            return _DURATION
        case FactType.NUMBER:
            return {"type": "integer", "minimum": 0}
        case FactType.TEXT:
            return _TEXT


def _given(fact: Fact) -> Schema:
    return {"description": fact.meaning, "anyOf": [_value(fact), {"type": "null"}]}


def _some(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _object(properties: Schema, required: Iterable[str] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema
