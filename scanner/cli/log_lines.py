"""Messages as JSON lines: objects {ts, level, event, ...} in ASCII."""

import json
from datetime import UTC, datetime
from typing import Any

from scanner.daemon.events import Level
from scanner.display import visible
from scanner.errors import ApiError, KeyVigilError, PolicyError
from scanner.formats.visit import unseen
from scanner.result import ScanResult
from scanner.secret import redact


def log_line(level: Level, event: str, fields: dict[str, Any]) -> str:
    """Render one message: untrusted text inert, secrets masked, fields of None omitted."""
    told = {name: value for name, value in fields.items() if value is not None}
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(_inert({"ts": stamp, "level": level.value, "event": event, **told}))


def fields_of_error(error: KeyVigilError) -> dict[str, Any]:
    """Return an error's stable code and the details that its message lacks."""
    problems = error.problems if isinstance(error, PolicyError) else ()
    return {
        "error": error.code,
        "help": error.help,
        "endpoint": error.endpoint if isinstance(error, ApiError) else None,
        "request_id": error.request_id if isinstance(error, ApiError) else None,
        "problems": [
            {"file": one.file, "line": one.line, "column": one.column, "message": one.message}
            for one in problems
        ]
        or None,
    }


def fields_of_result(result: ScanResult) -> dict[str, Any]:
    """Return the identity, coverage and counts of a result."""
    totals = result.totals()
    return {
        "scan_id": result.id,
        "organization": result.organization,
        "renamed_from": result.renamed_from,
        "policies": list(result.policies),
        "complete": result.complete,
        "gaps": unseen(result).splitlines() or None,
        "projects": totals.projects,
        "keys": totals.keys,
        "keys_violating": totals.keys_violating,
        "violations": {severity.value: count for severity, count in totals.by_severity.items()},
        "excepted": totals.excepted,
        "undetermined": totals.undetermined,
    }


def _inert(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case str():
            return visible(redact(value))
        case dict():
            return {name: _inert(one) for name, one in value.items()}
        case list():
            return [_inert(one) for one in value]
        case _:
            return value
