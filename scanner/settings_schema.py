"""keyvigil.yaml as a JSON Schema, for editors: made from the declaration of the settings. Pure.

It completes and refuses what an editor can see; `config validate` sees more.
"""

from collections.abc import Iterable
from typing import Any, Final

from scanner.kinds import Schema
from scanner.organizations_file import KEYS, OWN, VARIABLE
from scanner.revocation import Mode
from scanner.schedule_file import DEFAULT_CRON, DEFAULT_ZONE
from scanner.setting import Setting
from scanner.settings_table import SECTIONS, SETTINGS
from scanner.severity import Severity
from scanner.values_file import ELSEWHERE, TOP

_TEXT: Final[Schema] = {"type": "string", "pattern": "\\S"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT, "minItems": 1}
_ONE_OR_MORE: Final[Schema] = {"anyOf": [_TEXT, _TEXTS]}
_VARIABLE: Final[Schema] = {"type": "string", "pattern": f"^{VARIABLE.pattern}$"}
_DURATION: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9]{1,7}[wdh]( ?[0-9]{1,7}[wdh]){0,4}$",
}

_SHORT: Final[Schema] = {
    "type": "string",
    "pattern": "^(?=[0-9])([0-9]{1,7}h)? ?([0-9]{1,7}m)? ?([0-9]{1,7}s)?$",
}


def settings_schema() -> Schema:
    """Return the JSON Schema of keyvigil.yaml; docs/settings.schema.json is this."""
    by_name = {setting.name: setting for setting in SETTINGS}
    sections = {name: _section(name, settings) for name, settings in SECTIONS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "KeyVigil settings",
        **_object(
            {name: _value(by_name[name]) for name in TOP}
            | sections
            | {
                "organizations": {"type": "array", "items": _organization(), "minItems": 1},
                "alerts": _alerts(),
                "revocation": _revocation(),
                "schedule": _schedule(),
            }
        ),
    }


def _value(setting: Setting[Any]) -> Schema:
    return {
        **setting.kind.schema,
        "description": f"{setting.help} Default: {setting.otherwise}. Also {setting.flag} and"
        f" {setting.variable}.",
    }


def _section(name: str, settings: Iterable[Setting[Any]]) -> Schema:
    values = {one.name.partition(".")[2]: _value(one) for one in settings}
    if name != "store":
        return _object(values)
    places = ["place", *ELSEWHERE]
    elsewhere = {
        "place_env": {**_TEXT, "description": "The variable that holds the place."},
        "place_file": {**_TEXT, "description": "The file that holds the place."},
    }
    pairs = [[a, b] for i, a in enumerate(places) for b in places[i + 1 :]]
    at_most_one = {"not": {"anyOf": [{"required": pair} for pair in pairs]}}
    return {**_object(values | elsewhere), **at_most_one}


def _organization() -> Schema:
    described = {
        "name": {**_TEXT, "description": "What its history is kept under."},
        "key_env": {**_VARIABLE, "description": "The variable that holds its admin key."},
        "key_file": {**_TEXT, "description": "The file that holds its admin key."},
        "key_command": {
            **_TEXTS,
            "description": "A program and its arguments, run without a shell; its one line of"
            " output is the admin key.",
        },
    }
    own = {word: _value(setting) for word, setting in OWN.items()}
    return {
        **_object(described | own, required=("name",)),
        "oneOf": [{"required": [key]} for key in KEYS],
    }


def _alerts() -> Schema:
    sinks: Schema = {
        "slack": {**_TEXT, "description": 'A channel: "#security", or its id.'},
        "slack_owners": {**_TEXT, "description": "Each owner; the channel for the others."},
        "slack_webhook": {**_TEXT, "description": "The variable that holds the address."},
        "webhook": {**_TEXT, "description": "The variable that holds the address."},
        "email": {**_ONE_OR_MORE, "description": "Addresses."},
    }
    options: Schema = {
        "severity": {"enum": list(Severity), "description": "This or worse. Default: all."},
        "projects": {**_ONE_OR_MORE, "description": "Globs of names or ids."},
        "rules": {**_ONE_OR_MORE, "description": "Globs of ids."},
        "owners": {**_ONE_OR_MORE, "description": "Globs of addresses, names or ids."},
        "mention": {"type": "string", "pattern": "^S[A-Z0-9]{6,}$"},
        "attach": {"type": "boolean", "description": "The report, in HTML."},
        "quiet": {"enum": ["silent", "summary"], "description": "Nights without news."},
        "reminder": {"anyOf": [_DURATION, {"const": "never"}]},
    }
    route = {
        **_object({"name": _TEXT} | sinks | options, required=("name",)),
        "oneOf": [{"required": [sink]} for sink in sinks],
    }
    return _object(
        {
            "report": {"type": "string", "pattern": "^https://"},
            "routes": {"type": "array", "items": route, "minItems": 1},
        },
        required=("routes",),
    )


def _revocation() -> Schema:
    protected = dict.fromkeys(("keys", "projects", "owners"), _TEXTS)
    return _object(
        {
            "mode": {"enum": [mode.value for mode in Mode]},
            "max_keys": {"type": "integer", "minimum": 0, "maximum": 100_000},
            "max_percent": {"type": "number", "minimum": 0, "maximum": 100},
            "min_age": _DURATION,
            "recent_use": _DURATION,
            "expire_in": _DURATION,
            "stop_file": {**_TEXT, "description": "While it is there, nothing is revoked."},
            "protect": {**_object(protected), "description": "Globs of ids and names."},
            "admin_keys": {**_TEXTS, "description": "Ids of admin keys that may be revoked."},
        },
        required=("mode",),
    )


def _schedule() -> Schema:
    return _object(
        {
            "cron": {**_TEXT, "description": f"When scans are due. Default: {DEFAULT_CRON}."},
            "time_zone": {**_TEXT, "description": f"Its name. Default: {DEFAULT_ZONE}."},
            "jitter": {**_SHORT, "description": "Start up to so much later. Default: at once."},
            "timeout": {**_SHORT, "description": "End a scan that takes longer. Default: 6h."},
        }
    )


def _object(properties: Schema, required: Iterable[str] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema
