"""keyvigil.yaml as a JSON Schema, for editors: made from the declaration of the settings. Pure.

It accepts what the reader accepts, except for rules that a schema cannot express: docs/settings.md
lists them.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Any, Final

from scanner.alerts_file import CHANNEL, GROUP
from scanner.alerts_file import VARIABLE as ADDRESS_VARIABLE
from scanner.cron import NAMED
from scanner.durations import PATTERN, SHORT_PATTERN
from scanner.organizations_file import KEYS, OWN, VARIABLE
from scanner.revocation import Mode
from scanner.schedule_file import DEFAULT_CRON, DEFAULT_ZONE
from scanner.schemas import (
    MAIL_ADDRESS,
    NOT_ZERO,
    PAGE_ADDRESS,
    TEXT,
    Schema,
    any_case,
    mapping,
    never_together,
    one_or_more,
    some,
    text_of,
)
from scanner.setting import Setting
from scanner.settings_table import SECTIONS, SETTINGS
from scanner.severity import Severity
from scanner.values_file import ELSEWHERE, TOP

_CRON_NAMES: Final = "|".join(any_case(name.removeprefix("@")) for name in NAMED)
_CRON_FIELD: Final = "[0-9A-Za-z*?,/-]+"
_CRON: Final = text_of(rf"\s*(?:@(?:{_CRON_NAMES})|{_CRON_FIELD}(?:\s+{_CRON_FIELD}){{4}})\s*")
_TEXTS: Final = some(TEXT)
_ONE_OR_MORE: Final = one_or_more(TEXT)
_VARIABLE: Final = text_of(VARIABLE.pattern)
_CHANNEL: Final = text_of(CHANNEL)
_DURATION: Final = text_of(PATTERN)
_NOT_ZERO: Final = text_of(f"{NOT_ZERO}{PATTERN}")
_SHORT: Final = text_of(SHORT_PATTERN)


def settings_schema() -> Schema:
    """Return the JSON Schema of keyvigil.yaml; docs/settings.schema.json is this."""
    by_name = {setting.name: setting for setting in SETTINGS}
    sections = {name: _section(name, settings) for name, settings in SECTIONS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "KeyVigil settings",
        **mapping(
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
        return mapping(values)
    places = ["url", *ELSEWHERE]
    elsewhere = {
        "url_env": {**TEXT, "description": "The variable that contains the address."},
        "url_file": {**TEXT, "description": "The file that contains the address."},
    }
    return {**mapping(values | elsewhere), **never_together(*combinations(places, 2))}


def _organization() -> Schema:
    described = {
        "name": {**TEXT, "description": "The name of its history."},
        "key_env": {**_VARIABLE, "description": "The variable that contains its admin key."},
        "key_file": {**TEXT, "description": "The file that contains its admin key."},
        "key_command": {
            **_TEXTS,
            "description": "A program and its arguments, run without a shell; it must print only"
            " the admin key, on one line.",
        },
    }
    own = {word: _value(setting) for word, setting in OWN.items()}
    return {
        **mapping(described | own, required=("name",)),
        "oneOf": [{"required": [key]} for key in KEYS],
    }


def _alerts() -> Schema:
    address = {
        **text_of(ADDRESS_VARIABLE),
        "description": "The variable that contains the address.",
    }
    sinks: Schema = {
        "slack": {**_CHANNEL, "description": 'A channel: "#security", or its id.'},
        "slack_owners": {
            **_CHANNEL,
            "description": "Each owner in Slack; the channel if the owner is not found.",
        },
        "slack_webhook": address,
        "webhook": address,
        "email": {**one_or_more(text_of(MAIL_ADDRESS)), "description": "E-mail addresses."},
    }
    options: Schema = {
        "severity": {"enum": list(Severity), "description": "This severe or worse. Default: all."},
        "projects": {**_ONE_OR_MORE, "description": "Globs of names or ids."},
        "rules": {**_ONE_OR_MORE, "description": "Globs of rule ids."},
        "owners": {**_ONE_OR_MORE, "description": "Globs of addresses, names or ids."},
        "mention": {**text_of(GROUP), "description": "The id of a Slack user group to mention."},
        "attach": {"type": "boolean", "description": "Attach the HTML report."},
        "quiet": {
            "enum": ["silent", "summary"],
            "description": "What to send after a scan without changes.",
        },
        "reminder": {"anyOf": [_NOT_ZERO, {"const": "never"}]},
    }
    route = {
        **mapping({"name": TEXT} | sinks | options, required=("name",)),
        "oneOf": [{"required": [sink]} for sink in sinks],
        **never_together(
            *(("attach", sink) for sink in ("slack_webhook", "webhook")),
            *(("mention", sink) for sink in ("webhook", "email")),
        ),
    }
    return mapping(
        {
            "report": text_of(PAGE_ADDRESS),
            "routes": {"type": "array", "items": route, "minItems": 1},
        },
        required=("routes",),
    )


def _revocation() -> Schema:
    protected = dict.fromkeys(("keys", "projects", "owners"), _TEXTS)
    return mapping(
        {
            "mode": {"enum": [*(mode.value for mode in Mode), False]},  # YAML reads off as false
            "max_keys": {"type": "integer", "minimum": 0, "maximum": 100_000},
            "max_percent": {"type": "number", "minimum": 0, "maximum": 100},
            "min_age": _DURATION,
            "recent_use": _DURATION,
            "expire_in": _NOT_ZERO,
            "stop_file": {**TEXT, "description": "While this file exists, no key is revoked."},
            "protect": {**mapping(protected), "description": "Globs of ids and names."},
            "admin_keys": {**_TEXTS, "description": "Ids of admin keys that may be revoked."},
        },
        required=("mode",),
    )


def _schedule() -> Schema:
    return mapping(
        {
            "cron": {
                **_CRON,
                "description": f"When scans are due. Default: {DEFAULT_CRON}.",
            },
            "time_zone": {**TEXT, "description": f"The zone's name. Default: {DEFAULT_ZONE}."},
            "jitter": {**_SHORT, "description": "The longest random delay. Default: none."},
            "timeout": {**_SHORT, "description": "End a scan that takes longer. Default: 6h."},
        }
    )
