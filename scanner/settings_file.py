"""keyvigil.yaml: reads it and reports every mistake with its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from scanner.alerts_file import parse_alerts
from scanner.announcement import Route
from scanner.copied import to_read
from scanner.errors import PolicyError, Problem, SettingsError, UsageError
from scanner.organizations_file import Organization, parse_organizations
from scanner.policy.document import Items, Node, Scalar, read_document
from scanner.policy.problems import Problems
from scanner.revocation import Bounds, Mode
from scanner.revocation_file import parse_bounds
from scanner.schedule_file import DEFAULT, Timing, override, parse_timing
from scanner.secret import redact
from scanner.values_file import TOP, Said, parse_values

DEFAULT_FILE: Final = "keyvigil.yaml"
CONFIG: Final = "KEYVIGIL_CONFIG"
REVOCATION: Final = "KEYVIGIL_REVOCATION"
STOP_FILE: Final = "keyvigil.stop"
_SECTIONS: Final = (*TOP, "store", "http", "organizations", "alerts", "revocation", "schedule")
_CHECK_PATH: Final = "Check the path in --config or KEYVIGIL_CONFIG."
_BYTES: Final = 1_000_000
_MISPLACED: Final = (
    "this is a secret, which must not be in this file: remove it here and put it into the"
    " environment (a token into KEYVIGIL_SLACK_TOKEN, a webhook's address into"
    " KEYVIGIL_SLACK_WEBHOOK, an admin key where key_env, key_file or key_command of its"
    " organization reads it); replace it with a new secret if others can read the file"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """The contents of the file: alert routes, the report's address, revocation limits, schedule.

    `said` has the values that options and the environment can also set, by option's parameter;
    `at` is the place of each section: file:line:column.
    """

    said: Mapping[str, Said] = field(default_factory=dict)
    at: Mapping[str, str] = field(default_factory=dict)
    organizations: tuple[Organization, ...] = ()
    routes: tuple[Route, ...] = ()
    report: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    timing: Timing = DEFAULT


def find_settings_file(environment: Mapping[str, str], named: Path | None) -> Path | None:
    """Return the named settings file, or the one in the working folder, if there is one."""
    if named is not None or environment.get(CONFIG):
        return named or Path(environment[CONFIG])
    here = Path(DEFAULT_FILE)
    return here if here.is_file() else None


def read_bounds(environment: Mapping[str, str], config: Path | None) -> Bounds:
    """Read the limits of revocation; KEYVIGIL_REVOCATION=off overrides the file.

    Raise SettingsError with every mistake of the file, UsageError for any value other than off.
    """
    file = find_settings_file(environment, config)
    bounds = read_settings_file(file).bounds if file else Bounds()
    named = Path(bounds.stop_file or STOP_FILE).expanduser()
    stop_file = (file.parent if file else Path()) / named
    bounds = replace(bounds, stop_file=str(stop_file.absolute()))
    switch = environment.get(REVOCATION, "").strip()
    if not switch:
        return bounds
    if switch != Mode.OFF:
        raise UsageError(
            f"{REVOCATION} accepts only off: it disables revocation that the settings enable.",
            help="Set revocation.mode in keyvigil.yaml for anything else.",
        )
    return replace(bounds, mode=Mode.OFF)


def timing_of(
    environment: Mapping[str, str],
    config: Path | None,
    cron: str | None = None,
    time_zone: str | None = None,
) -> Timing:
    """Read the schedule of scans: options override the environment, which overrides the file.

    Raise SettingsError with every mistake of the file, UsageError for one of an option or variable.
    """
    file = find_settings_file(environment, config)
    timing = read_settings_file(file).timing if file else DEFAULT
    return override(timing, environment, cron, time_zone)


def read_settings_file(path: Path) -> FileSettings:
    """Read the file; raise SettingsError with every mistake, UsageError if it cannot be read."""
    try:
        with to_read(path).open("rb") as file:
            content = file.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise UsageError(
                f"The settings file {path} is larger than {_BYTES:,} bytes.", help=_CHECK_PATH
            )
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"The settings file {path} cannot be read: {error.strerror}.", help=_CHECK_PATH
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"The settings file {path} is not UTF-8 text.", help=_CHECK_PATH) from None
    return parse_settings(text, str(path))


def parse_settings(text: str, file: str) -> FileSettings:
    """Read the settings; raise SettingsError with every mistake, with secrets masked."""
    try:
        return _read(text, file)
    except PolicyError as error:
        masked = (replace(one, message=redact(one.message)) for one in error.problems)
        raise SettingsError(tuple(masked)) from None


def _read(text: str, file: str) -> FileSettings:
    root, of_its_keys = read_document(text, file)
    problems = Problems(file)
    problems.include(of_its_keys)
    sections = problems.fields(root, "the file", required=(), optional=_SECTIONS)
    routes: tuple[Route, ...] = ()
    report = ""
    if "alerts" in sections:
        routes, report = parse_alerts(sections["alerts"], problems)
    bounds = parse_bounds(sections.get("revocation"), problems)
    timing = parse_timing(sections.get("schedule"), problems)
    folder = Path(file).parent
    said = parse_values(sections, problems, folder)
    organizations = parse_organizations(sections.get("organizations"), problems, folder)
    secrets = [
        Problem(file=file, line=node.line, column=node.column, message=_MISPLACED)
        for node in _scalars(root)
        if redact(node.text) != node.text
    ]
    _raise_if_any(problems, secrets)
    return FileSettings(
        said={name: one for name, one in said.items() if one},
        at={word: f"{file}:{node.line}:{node.column}" for word, node in sections.items()},
        organizations=organizations,
        routes=routes,
        report=report,
        bounds=bounds,
        timing=timing,
    )


def _raise_if_any(problems: Problems, secrets: list[Problem]) -> None:
    """Raise PolicyError with the mistakes in file order; for a secret, only its own problem."""
    found: tuple[Problem, ...] = ()
    try:
        problems.raise_if_any()
    except PolicyError as error:
        found = error.problems
    places = {(one.line, one.column) for one in secrets}
    others = (one for one in found if (one.line, one.column) not in places)
    if found or secrets:
        raise PolicyError(tuple(sorted({*others, *secrets})))


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
        return
    parts = node.items if isinstance(node, Items) else (p for entry in node.entries for p in entry)
    for part in parts:
        yield from _scalars(part)
