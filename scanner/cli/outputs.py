"""What reports a command writes, and where: checked before anything is asked."""

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
    """Read every `FORMAT=PATH`; raise UsageError for places that are no files, or one and the same.

    The organization's name, if it is known, is put into the paths.
    """
    outputs = tuple(_output(OUTPUTS, text, organization) for text in texts)
    if snapshot is not None:
        check_template_writable(snapshot)
    others = (("snapshot", snapshot), ("metrics", metrics))
    if _meet([*outputs, *((what, path) for what, path in others if path)]):
        flags = (
            "--output, --snapshot and --metrics-textfile" if metrics else "--output and --snapshot"
        )
        raise UsageError(f"Two of {flags} name the same place.", help="Give each its own.")
    return outputs


def read_combined(chosen: Chosen) -> tuple[Output, ...]:
    """Read what is said of reports of all organizations together; raise UsageError likewise."""
    outputs = tuple(_output(COMBINED, text, None) for text in chosen[COMBINED])
    if _meet(outputs):
        raise UsageError(f"Two of {COMBINED.flag} name the same place.", help="Give each its own.")
    return outputs


def combined_places(chosen: Chosen) -> tuple[Path | None, ...]:
    """Return where the reports of all organizations go, None for stdout; nothing is checked."""
    texts = [text.partition("=")[2] for text in chosen[COMBINED]]
    return tuple(None if text == _STDOUT else named(Path(text), None) for text in texts)


def refuse_overwriting(
    places: Iterable[tuple[str, Sequence[Path | None]]], combined: Sequence[Path | None] = ()
) -> None:
    """Raise UsageError if what is written for one organization overwrites what is for another.

    `places` are an organization's name and the paths that it writes to; None is stdout. `combined`
    are those of the reports of all together.
    """
    seen: dict[str, str] = {}
    for name, paths in places:
        for path in paths:
            place = _some(path, scan=name)
            other = seen.setdefault(place, name)
            if other != name:
                raise UsageError(
                    f"The organizations {other} and {name} would both write"
                    f" {'on stdout' if path is None else path}.",
                    help=_apart(other, name),
                )
    for path in combined:
        if _some(path) in seen:
            name = seen[_some(path)]
            raise UsageError(
                f"{COMBINED.flag} and what is written{f' for {name}' if name else ''} would both"
                f" go to {'stdout' if path is None else path}.",
                help=f"Give {COMBINED.flag} a place of its own.",
            )


def _apart(one: str, other: str) -> str:
    """Say how two organizations come to write to two places."""
    word = safe_name(one)
    if safe_name(other) == word:
        return f"Both are {word} in a path: name one otherwise, or give each outputs of its own."
    return "Put {organization} into the path, or give each outputs of its own."


def named(path: Path, organization: str | None) -> Path:
    """Put the organization's name into a path, where it is known."""
    text = of_organization(str(path), organization) if organization else str(path)
    return Path(text).expanduser()


def _meet(outputs: Sequence[Output]) -> bool:
    places = [_some(path) for _, path in outputs]
    return len(set(places)) < len(places)


def _some(path: Path | None, scan: str = "scan") -> str:
    """Return where a path leads for some scan; "" for stdout."""
    if path is None:
        return ""
    return str(_for_some_scan(path, scan).resolve())


def check_template_writable(path: Path) -> None:
    """Raise UsageError or OutputError if what a template leads to cannot be written."""
    check_writable(_for_some_scan(path))


def _for_some_scan(path: Path, scan: str = "scan") -> Path:
    return Path(fill(str(path), at=now(), scan_id=safe_name(scan), organization="some"))


def _output(setting: Setting[tuple[str, ...]], text: str, organization: str | None) -> Output:
    """Read `FORMAT=PATH`; raise UsageError for what could not be written later."""
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
