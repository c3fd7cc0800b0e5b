"""The checks of `keyvigil doctor`, by name."""

import json
from pathlib import Path

from tests.cli.running import keyvigil

Lines = dict[str, tuple[str, str, str]]


def examined(env: dict[str, str], folder: Path, *arguments: str | Path) -> tuple[int, Lines]:
    """Return the exit code, and by name each check's state, message and help."""
    ran = keyvigil("doctor", "--json", *arguments, env=env, cwd=folder)
    assert ran.err == ""
    document = json.loads(ran.out)
    assert document["schema"] == "keyvigil.doctor/1"
    checks = document["checks"]
    for one in checks:
        assert list(one) == ["name", "state", "message", "help"]
        assert one["state"] != "problem" or one["help"], one
    assert "made-up-secret" not in ran.out
    return ran.code, {
        one["name"]: (one["state"], one["message"], one["help"] or "") for one in checks
    }


def problems(lines: Lines) -> set[str]:
    return {name for name, (state, _, _) in lines.items() if state == "problem"}
