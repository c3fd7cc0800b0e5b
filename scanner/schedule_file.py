"""The section `schedule` of keyvigil.yaml: when scans are due, and in which time zone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from scanner.cron import Cron, CronError, parse_cron
from scanner.durations import parse_short_duration
from scanner.errors import UsageError
from scanner.policy.document import Node, Scalar
from scanner.policy.problems import Problems
from scanner.schedule import Schedule
from scanner.spelling import did_you_mean

CRON: Final = "KEYVIGIL_CRON"
TIME_ZONE: Final = "KEYVIGIL_TIME_ZONE"
DEFAULT_CRON: Final = "30 2 * * *"
DEFAULT_ZONE: Final = "UTC"
_LONGEST_JITTER: Final = timedelta(hours=6)
_LONGEST_RUN: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When scans are due, and the longest duration of a scan before it is stopped."""

    schedule: Schedule
    timeout: timedelta = timedelta(hours=6)

    @property
    def words(self) -> str:
        """Return it as text: `30 2 * * * in Europe/Berlin`."""
        return f"{self.schedule.cron.text} in {self.schedule.zone}"


DEFAULT: Final = Timing(
    schedule=Schedule(cron=parse_cron(DEFAULT_CRON), zone=ZoneInfo(DEFAULT_ZONE))
)


def parse_timing(node: Node | None, problems: Problems) -> Timing:
    """Read the section; note every mistake. Missing fields keep their default."""
    if node is None:
        return DEFAULT
    readers: Mapping[str, Callable[[Node, Problems], Any]] = {
        "cron": _cron,
        "time_zone": _zone,
        "jitter": _jitter,
        "timeout": _timeout,
    }
    fields = problems.fields(node, "'schedule'", required=(), optional=tuple(readers))
    read = {word: readers[word](value, problems) for word, value in fields.items()}
    schedule = Schedule(
        cron=read.get("cron") or DEFAULT.schedule.cron,
        zone=read.get("time_zone") or DEFAULT.schedule.zone,
        jitter=read.get("jitter") or DEFAULT.schedule.jitter,
    )
    return Timing(schedule=schedule, timeout=read.get("timeout") or DEFAULT.timeout)


def override(
    timing: Timing, environment: Mapping[str, str], cron: str | None, time_zone: str | None
) -> Timing:
    """Return the timing with the options' and the environment's values instead of the file's.

    Raise UsageError for a value that is not a valid schedule or time zone.
    """
    schedule = timing.schedule
    cron_from, cron = _given("--cron", cron, CRON, environment)
    zone_from, time_zone = _given("--time-zone", time_zone, TIME_ZONE, environment)
    if cron:
        try:
            schedule = replace(schedule, cron=parse_cron(cron))
        except CronError as error:
            raise UsageError(
                f"{cron_from} '{cron}': {error}.",
                help=f"Use a cron expression such as '{DEFAULT_CRON}', every day at 02:30.",
            ) from None
    if time_zone:
        try:
            schedule = replace(schedule, zone=_named(time_zone))
        except LookupError:
            known = did_you_mean_zone(time_zone)
            raise UsageError(
                f"{zone_from}: there is no time zone '{time_zone}'{known}",
                help="Use a name such as Europe/Berlin, or UTC.",
            ) from None
    return replace(timing, schedule=schedule)


def _given(
    option: str, value: str | None, name: str, environment: Mapping[str, str]
) -> tuple[str, str]:
    """Return the option or else the variable, and its value."""
    return (option, value) if value else (name, environment.get(name, "").strip())


def did_you_mean_zone(word: str) -> str:
    """Return a hint: the time zone nearest to the word, or else the form of names."""
    zones = available_timezones()
    cities = {zone.rpartition("/")[2].lower(): zone for zone in sorted(zones)}
    if (zone := cities.get(word.replace(" ", "_").lower())) is not None:
        return f"; did you mean '{zone}'?"
    hint = did_you_mean(word.lower(), [zone.lower() for zone in zones])
    if "did you mean" not in hint:
        return "; use a name such as Europe/Berlin or UTC"
    asked = hint.split("'")[1]
    return hint.replace(asked, next(zone for zone in zones if zone.lower() == asked))


def _named(name: str) -> ZoneInfo:
    """Return a time zone; raise LookupError if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LookupError(name) from None


def _cron(node: Node, problems: Problems) -> Cron | None:
    text = problems.text(node, "'cron'")
    try:
        return parse_cron(text) if text else None
    except CronError as error:
        problems.add(node, f"'cron': {error}")
        return None


def _zone(node: Node, problems: Problems) -> ZoneInfo | None:
    text = problems.text(node, "'time_zone'")
    try:
        return _named(text) if text else None
    except LookupError:
        problems.add(node, f"there is no time zone '{text}'{did_you_mean_zone(text)}")
        return None


def _jitter(node: Node, problems: Problems) -> timedelta | None:
    jitter = _duration(node)
    if jitter is None or jitter > _LONGEST_JITTER:
        problems.add(node, "'jitter' must be a delay such as 10m or 1h 30m, at most 6h")
        return None
    return jitter


def _timeout(node: Node, problems: Problems) -> timedelta | None:
    timeout = _duration(node)
    if timeout is None or not timedelta(minutes=1) <= timeout <= _LONGEST_RUN:
        problems.add(node, "'timeout' must be a duration from 1m to 24h")
        return None
    return timeout


def _duration(node: Node) -> timedelta | None:
    return parse_short_duration(node.text) if isinstance(node, Scalar) else None
