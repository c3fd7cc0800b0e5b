"""The reports that a command writes, and their paths, checked before the first request."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from scanner.cli.choosing import refused
from scanner.cli.run import Output
from scanner.errors import UsageError
from scanner.formats.files import check_writable
from scanner.path_template import fill, of_organization, safe_name
from scanner.setting import Chosen, Setting
from scanner.settings_table import COMBINED, OUTPUTS
from scanner.wiring import now

_STDOUT: Final = "-"


def read_outputs(
    texts: Sequence[str],
    snapshot: Path | None,
    organization: str | None = None,
    metrics: Path | None = None,
) -> tuple[Output, ...]:
    """Read every `FORMAT=PATH`; raise UsageError for a path that is not writable or used twice.

    `organization`, if given, replaces {organization} in the paths.
    """
    outputs = tuple(_output(OUTPUTS, text, organization) for text in texts)
    if snapshot is not None:
        check_template_writable(snapshot)
    others = (("snapshot", snapshot), ("metrics", metrics))
    if _meet([*outputs, *((what, path) for what, path in others if path)]):
        flags = (
            "--output, --snapshot and --metrics-textfile" if metrics else "--output and --snapshot"
        )
        raise UsageError(f"Two of {flags} have the same path.", help="Use different paths.")
    return outputs


def read_combined(chosen: Chosen) -> tuple[Output, ...]:
    """Read the outputs of the combined report; raise UsageError as `read_outputs` does."""
    outputs = tuple(_output(COMBINED, text, None) for text in chosen[COMBINED])
    if _meet(outputs):
        raise UsageError(f"Two of {COMBINED.flag} have the same path.", help="Use different paths.")
    return outputs


def combined_places(chosen: Chosen) -> tuple[Path | None, ...]:
    """Return the paths of the combined report, unchecked; None is stdout."""
    texts = [text.partition("=")[2] for text in chosen[COMBINED]]
    return tuple(None if text == _STDOUT else named(Path(text), None) for text in texts)


def refuse_overwriting(
    places: Iterable[tuple[str, Sequence[Path | None]]], combined: Sequence[Path | None] = ()
) -> None:
    """Raise UsageError if two organizations, or one and the combined report, write to one path.

    `places` are an organization's name and its paths, `combined` the paths of the combined report;
    None is stdout.
    """
    seen: dict[str, str] = {}
    for name, paths in places:
        for path in paths:
            place = _some(path, scan=name)
            other = seen.setdefault(place, name)
            if other != name:
                raise UsageError(
                    f"The organizations {other} and {name} would both write"
                    f" to {'stdout' if path is None else path}.",
                    help=_apart(other, name),
                )
    for path in combined:
        if _some(path) in seen:
            name = seen[_some(path)]
            raise UsageError(
                f"{COMBINED.flag} and an output{f' of {name}' if name else ''} would both write"
                f" to {'stdout' if path is None else path}.",
                help=f"Use another path for {COMBINED.flag}.",
            )


def _apart(one: str, other: str) -> str:
    """Return the help text: how to give two organizations different paths."""
    word = safe_name(one)
    if safe_name(other) == word:
        return f"Rename one organization, as both become {word} in a path, or set outputs for each."
    return "Add {organization} to the path, or set outputs for each organization."


def named(path: Path, organization: str | None) -> Path:
    """Replace {organization} in a path, if the name is known, and ~."""
    text = of_organization(str(path), organization) if organization else str(path)
    return Path(text).expanduser()


def _meet(outputs: Sequence[Output]) -> bool:
    places = [_some(path) for _, path in outputs]
    return len(set(places)) < len(places)


def _some(path: Path | None, scan: str = "scan") -> str:
    """Return the absolute path that a template has for an example scan; "" for stdout."""
    if path is None:
        return ""
    return str(_for_some_scan(path, scan).resolve())


def check_template_writable(path: Path) -> None:
    """Raise UsageError or OutputError if the path of a template cannot be written."""
    check_writable(_for_some_scan(path))


def _for_some_scan(path: Path, scan: str = "scan") -> Path:
    return Path(fill(str(path), at=now(), scan_id=safe_name(scan), organization="some"))


def _output(setting: Setting[tuple[str, ...]], text: str, organization: str | None) -> Output:
    """Read `FORMAT=PATH`; raise UsageError if it is not valid or cannot be written."""
    try:
        setting.kind.read(text)
    except ValueError as error:
        raise refused(setting.flag, error) from None
    name, _, place = text.partition("=")
    if place == _STDOUT:
        if sys.stdout is None:
            raise UsageError(f"{setting.flag} {text}: stdout is closed.")
        return name, None
    path = named(Path(place), organization)
    check_template_writable(path)
    return name, path
