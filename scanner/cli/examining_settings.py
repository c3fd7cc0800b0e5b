"""The settings as `keyvigil doctor` reads them: separately, so that every error is reported."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scanner.checkup import Check, ok, problem, unchecked
from scanner.cli.choosing import refused
from scanner.cli.examining import SCAN_HELP
from scanner.cli.job import Job, jobs_of
from scanner.cli.log_format import LOG_FORMAT, LogFormat
from scanner.collection import Collection
from scanner.errors import KeyVigilError, UsageError
from scanner.setting import Chosen, Setting
from scanner.settings_file import FileSettings, find_settings_file, read_settings_file
from scanner.settings_table import (
    BASE_URL,
    CA_BUNDLE,
    HISTORY,
    METRICS,
    OUTPUTS,
    PROXY,
    SETTINGS,
)
from scanner.spelling import did_you_mean

WRONG_FILE: Final = "requires a valid settings file"
WAY: Final = (BASE_URL, PROXY, CA_BUNDLE)
"""Settings of the connection to the API: no request is sent while one of them is invalid."""
_LINES: Final = {
    **{setting.parameter: "history" for setting in HISTORY},
    **{setting.parameter: "connection" for setting in WAY},
    METRICS.parameter: "metrics",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The valid settings; `wrong` are the errors of the others, by parameter.

    If the settings file cannot be read (not `is_whole`), the values in it are unknown.
    """

    chosen: Chosen
    file: FileSettings = field(default_factory=FileSettings)
    wrong: Mapping[str, UsageError] = field(default_factory=dict)
    is_whole: bool = True

    def knows(self, setting: Setting[Any]) -> bool:
        """Whether a setting's value is known: flags and the environment override the file."""
        return self.is_whole or self.chosen.is_said(setting)

    def wrong_of(self, line: str) -> Iterator[Check]:
        """Yield a problem for each error that belongs to the check of this name."""
        for parameter, error in self.wrong.items():
            if _LINES.get(parameter, "options") == line:
                yield problem(line, error)

    @property
    def has_way(self) -> bool:
        """Whether the address to which the admin key would be sent is known."""
        return self.is_whole and not self.wrong.keys() & {setting.parameter for setting in WAY}


def read_each(
    given: Mapping[str, Any], environment: Mapping[str, str], config: Path | None
) -> Read:
    """Read all settings as a scan does; `given` are flags, by parameter.

    A settings file that cannot be read is ignored here; another check reports it.
    """
    path = find_settings_file(environment, config)
    file, is_whole = FileSettings(), True
    try:
        file = read_settings_file(path) if path else file
    except KeyVigilError:
        path, is_whole = None, False
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    wrong: dict[str, UsageError] = {}
    for setting in SETTINGS:
        name = setting.parameter
        texts, origin = _said(setting, given, environment, file)
        if not texts:
            continue
        origins[name] = origin
        try:
            # Each output has its own check, which reports its errors.
            values[name] = tuple(texts) if setting is OUTPUTS else setting.kind.value(texts)
        except ValueError as error:
            refusal = refused(origin, error)
            wrong[name] = UsageError(str(refusal), help=refusal.help or SCAN_HELP)
    chosen = Chosen(
        values=values,
        origin=lambda setting: origins.get(setting.parameter, "default"),
        config=path,
    )
    return Read(chosen=chosen, file=file, wrong=wrong, is_whole=is_whole)


def _said(
    setting: Setting[Any],
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    file: FileSettings,
) -> tuple[Sequence[str], str]:
    """Return a setting's texts and their origin: flag, environment or file, in this order."""
    if flag := given.get(setting.parameter):
        return (flag if setting.kind.is_many else [flag]), setting.flag
    if text := environment.get(setting.variable):
        return (text.split() if setting.kind.is_many else [text]), setting.variable
    said = file.said.get(setting.parameter)
    return (said.texts, said.at) if said else ((), "")


def options(read: Read, environment: Mapping[str, str]) -> Iterator[Check]:
    """Check the settings that have no check of their own."""
    found = list(read.wrong_of("options"))
    log_format = environment.get(LOG_FORMAT, "")
    if log_format and log_format not in tuple(LogFormat):
        near = did_you_mean(log_format, tuple(LogFormat))
        said = f"{LOG_FORMAT}: '{log_format}' is not a valid log format{near}"
        error = UsageError(
            said if said.endswith("?") else f"{said}.", help=f"Use {' or '.join(LogFormat)}."
        )
        found.append(problem("options", error))
    if not read.is_whole:
        found.append(unchecked("options", WRONG_FILE))
    yield from found or [ok("options", "all other settings are valid")]


def jobs(read: Read, only: Sequence[str]) -> tuple[tuple[Job, ...], tuple[Check, ...]]:
    """Return the organizations that a scan would include, and the problems of that choice.

    Return none if the settings file, which lists them, cannot be read.
    """
    if not read.is_whole:
        names = ("policies", "admin key", "connection", *Collection, "clock", "outputs")
        return (), tuple(unchecked(name, WRONG_FILE) for name in names)
    try:
        return jobs_of(read.chosen, read.file.organizations, only), ()
    except UsageError as error:
        mended = error.help or "Print the origin of each setting: keyvigil config show --origin"
        told = problem("organizations", UsageError(str(error), help=mended))
        return (), (told,)
