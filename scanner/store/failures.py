"""Errors of a database -> reason and help line."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from scanner.secret import redact

_DAMAGED: Final = "Restore the file from a backup, or move it away to start a new one."
_BY_CODE: Final = {
    sqlite3.SQLITE_FULL: "Free space on the disk of the history.",
    sqlite3.SQLITE_IOERR: "Check the disk of the history: it may be full or faulty.",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: "Another process is writing to the history; try again when it ends.",
    sqlite3.SQLITE_LOCKED: "Another process is writing to the history; try again when it ends.",
    sqlite3.SQLITE_READONLY: "Make the file and its folder writable for this user.",
    sqlite3.SQLITE_CANTOPEN: "Make the file and its folder accessible for this user.",
    sqlite3.SQLITE_PERM: "Make the file and its folder accessible for this user.",
}
_CREDENTIALS: Final = "Check user and password in the URL, and the server's pg_hba.conf."
_DATABASE: Final = "Create the database, or correct its name in the URL."
_RIGHTS: Final = "Grant the user all rights on the schema; docs/history.md lists them."
_OPTIONS: Final = "Correct the options after ? in the URL: they must be options of libpq."
_CONNECTION: Final = "Check host and port in the URL, and that PostgreSQL is running there."
_BY_STATE: Final = {
    "28": _CREDENTIALS,
    "3D": _DATABASE,
    "42501": _RIGHTS,
    "25006": "Use the primary server: this server is read-only.",
    "53100": "Free space on the disk of the PostgreSQL server.",
    "53300": "Allow more connections on the PostgreSQL server, or try again later.",
    "XX001": "Restore the database from a backup.",
}
_BY_TEXT: Final = (
    ("authentication failed", _CREDENTIALS),
    ("no password supplied", _CREDENTIALS),
    ("pg_hba.conf", _CREDENTIALS),
    ("role ", _CREDENTIALS),
    ("database ", _DATABASE),
    ("too many ", _BY_STATE["53300"]),
    ("remaining connection slots", _BY_STATE["53300"]),
    ("starting up", "Wait until the PostgreSQL server has started."),
    ("connection option", _OPTIONS),
    ("sslmode value", _OPTIONS),
    ("definition of service", _OPTIONS),
    ("certificate", "Check the TLS settings of the server and sslmode in the URL."),
    ("SSL", "Check the TLS settings of the server and sslmode in the URL."),
)
"""Texts of refused connections, for which psycopg has no SQLSTATE."""
_OTHER: Final = "Check the history with keyvigil doctor."


def is_foreign(error: SQLAlchemyError) -> bool:
    """Whether a file is not a SQLite database."""
    return _code(error) == sqlite3.SQLITE_NOTADB


def is_damaged(error: SQLAlchemyError) -> bool:
    """Whether a SQLite file is damaged."""
    return _code(error) == sqlite3.SQLITE_CORRUPT


def help_for(error: SQLAlchemyError) -> str:
    """Return the help line for an error of either database."""
    if (code := _code(error)) is not None:
        return _BY_CODE.get(code, _OTHER)
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    for start, help_text in _BY_STATE.items():
        if state.startswith(start):
            return help_text
    text = reason(error)
    if not is_lost(error):
        return _OPTIONS if "connection option" in text else _OTHER
    return next((help_text for word, help_text in _BY_TEXT if word in text), _CONNECTION)


def is_lost(error: SQLAlchemyError) -> bool:
    """Whether the connection failed or was lost."""
    is_operational = isinstance(error, OperationalError)
    return is_operational or (isinstance(error, DBAPIError) and error.connection_invalidated)


def reason(error: SQLAlchemyError) -> str:
    """Return the database's message, on one line, without the statement and its values."""
    message = str(getattr(error, "orig", None) or error)
    lines = (" ".join(line.split()).rstrip(".") for line in message.splitlines())
    text = redact("; ".join(filter(None, lines)))
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _code(error: SQLAlchemyError) -> int | None:
    """Return SQLite's primary result code, None for PostgreSQL."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
