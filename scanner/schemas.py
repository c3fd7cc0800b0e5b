"""Parts of JSON Schemas, and the patterns of texts that schemas and readers share. Pure."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "pattern": "\\S"}

_HIDDEN: Final = (
    "\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u1680\\u180e"
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ud800-\\uf8ff\\ufeff\\ufff9-\\uffff"
)
LINE: Final = rf"(?=[\s\S]*\S)[^{_HIDDEN}]+"
"""A text that is not blank, on one line, of visible characters."""
NOT_ZERO: Final = "(?=.*[1-9])"
"""Before the pattern of a duration: it is longer than zero."""

_GROUP: Final = "[0-9A-Fa-f]{1,4}"
_IPV6: Final = "|".join(
    (
        f"(?:{_GROUP}:){{7}}{_GROUP}",
        f"(?:{_GROUP}:){{1,7}}:",
        *(f"(?:{_GROUP}:){{1,{7 - n}}}(?::{_GROUP}){{1,{n}}}" for n in range(1, 7)),
        f":(?::{_GROUP}){{1,7}}",
        "::",
    )
)
_HOST: Final = rf"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[(?:{_IPV6})\])"
_PORT: Final = (
    "(?::(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
)
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK: Final = rf"(?:localhost|127(?:\.{_OCTET}){{3}}|\[::1\])"
API_ADDRESS: Final = rf'(?:https://{_HOST}|http://{_LOOPBACK}){_PORT}(?:/[!"$->A-~]*)?'
"""https, or http on loopback, with a path; without user, query or fragment."""
PROXY_ADDRESS: Final = f"https?://{_HOST}{_PORT}/?"
PAGE_ADDRESS: Final = (
    rf"https://{_HOST}{_PORT}(?:[/?#](?:[!#-;=?-\[\]_a-z~]|\{{(?:scan_id|date)\}})*)?"
)
"""https, of characters that need no escaping anywhere; {scan_id} and {date} in it vary."""
_ESCAPED: Final = "%(?!00)[0-9A-Fa-f]{2}"
_NAME: Final = r"(?:[^:/?#@\s%]|%(?!00|3[aA])[0-9A-Fa-f]{2})*"
"""A user or a database; an escaped : indicates that more than the password was escaped."""
_OPTION: Final = rf"[A-Za-z_]+=(?:[^&#@\s%]|{_ESCAPED})*"
_POSTGRESQL: Final = (
    rf"postgres(?:ql)?(?:\+[a-z0-9]+)?://(?:{_NAME}(?::(?:[^/?#@\s%]|{_ESCAPED})*)?@)?"
    rf"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._-]|%2[fF])*){_PORT}"
    rf"(?:/{_NAME})?(?:\?{_OPTION}(?:&{_OPTION})*)?"
)
_DSN_SCHEMES: Final = (
    "postgres",
    "pg",
    "psql",
    "mysql",
    "mariadb",
    "sqlite",
    "jdbc",
    "odbc",
    "mssql",
)
_DSN_WORDS: Final = (
    *("host", "hostaddr", "port", "user", "username", "uid", "dbname", "database", "server"),
    *("service", "passfile", "sslmode", "driver", "dsn", "datasource", "initialcatalog"),
)


def any_case(word: str) -> str:
    """Return the pattern of a word in upper or lower case."""
    return "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word)


_COLON: Final = "(?::|%3[aA])"
_AT: Final = "(?:@|%40)"
_NOT_DSN: Final = "(?!{})".format(
    "|".join(
        (
            r"[\s\S]*://",
            rf"[\s\"'`]*[A-Za-z][A-Za-z0-9+._-]+{_COLON}(?:[/\\]|%2[fF])",
            rf"[\s\"'`]*(?:{'|'.join(map(any_case, _DSN_SCHEMES))})[A-Za-z0-9+._-]*{_COLON}",
            rf"[\s\S]*{_COLON}[\s\S]*{_AT}",
            rf"[\s\S]*{_AT}(?:[/\\]{{2}}|[^/\\]*:[0-9]+(?:[/\\]|$))",
            r"[^:/\\]*:(?:[0-9]+|\*):[^:]*:[^:]*:",  # a line of .pgpass
            rf"(?:[\s\S]*[\s;,&?\"'`])?(?:{'|'.join(map(any_case, _DSN_WORDS))})\s*=",
            rf"[\s\S]*(?:{'|'.join(map(any_case, ('password', 'passwd', 'pwd')))})[\s\"'`]*[=:]",
        )
    )
)
"""A text that may be meant as the address of a database but is not a valid URL."""
DATABASE_FILE: Final = f"{_NOT_DSN}{LINE}"
DATABASE_ADDRESS: Final = rf"(?:{_POSTGRESQL}|sqlite:///{_NOT_DSN}[^?#]+|{DATABASE_FILE})"
"""A PostgreSQL URL without an unescaped @, /, ? or # in its password, or a SQLite file."""
MAIL_ADDRESS: Final = "@".join([rf"[^\s@,;:<>()\[\]\"\\{_HIDDEN}]+"] * 2)


def template(placeholders: Collection[str]) -> str:
    """Return the pattern of a path with only these placeholders."""
    return rf"(?![\s\S]*\{{(?!(?:{'|'.join(placeholders)})\}})[^{{}}]*\}}){LINE}"


def is_whole(pattern: str, text: str) -> bool:
    """Whether a whole text matches a pattern."""
    return re.fullmatch(pattern, text) is not None


def text_of(pattern: str) -> Schema:
    """Return the schema of a text that matches a pattern as a whole, in Python and JavaScript."""
    return {"type": "string", "pattern": rf"^(?:{pattern})$(?!\n)"}


def some(items: Schema) -> Schema:
    """Return the schema of a list with at least one item."""
    return {"type": "array", "items": items, "minItems": 1}


def one_or_more(items: Schema) -> Schema:
    """Return the schema of an item, or a list with at least one."""
    return {"anyOf": [items, some(items)]}


def mapping(properties: Schema, required: Iterable[str] = ()) -> Schema:
    """Return the schema of a mapping without other keys."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def never_together(*groups: Iterable[str]) -> Schema:
    """Return the schema of a mapping that has at most one key of each group."""
    return {"not": {"anyOf": [{"required": list(group)} for group in groups]}}
