"""The settings as `keyvigil doctor` reads them: each by itself, so none hides another's mistake."""

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

WRONG_FILE: Final = "the settings file is to be put right first"
WAY: Final = (BASE_URL, PROXY, CA_BUNDLE)
"""What leads the admin key to the API: nobody is asked while one of them is wrong."""
_LINES: Final = {
    **{setting.parameter: "history" for setting in HISTORY},
    **{setting.parameter: "connection" for setting in WAY},
    METRICS.parameter: "metrics",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the settings are where they can be read; `wrong` are the others, by parameter.

    Without a file that can be read (`is_whole`), nobody knows what it says of the others.
    """

    chosen: Chosen
    file: FileSettings = field(default_factory=FileSettings)
    wrong: Mapping[str, UsageError] = field(default_factory=dict)
    is_whole: bool = True

    def knows(self, setting: Setting[Any]) -> bool:
        """Whether a setting is known: a flag and the environment beat what the file may say."""
        return self.is_whole or self.chosen.is_said(setting)

    def wrong_of(self, line: str) -> Iterator[Check]:
        """Yield a problem for each mistake that is told under this name."""
        for parameter, error in self.wrong.items():
            if _LINES.get(parameter, "options") == line:
                yield problem(line, error)

    @property
    def has_way(self) -> bool:
        """Whether it is clear where the admin key would go."""
        return self.is_whole and not self.wrong.keys() & {setting.parameter for setting in WAY}


def read_each(
    given: Mapping[str, Any], environment: Mapping[str, str], config: Path | None
) -> Read:
    """Read all settings as a scan does: `given` are flags, by parameter.

    A settings file that cannot be read says nothing; a line of its own tells of it.
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
            # Each output has a line of its own, which tells what is wrong with it.
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
    """Return what is said of a setting, and where: by flag, environment or file, in this order."""
    if flag := given.get(setting.parameter):
        return (flag if setting.kind.is_many else [flag]), setting.flag
    if text := environment.get(setting.variable):
        return (text.split() if setting.kind.is_many else [text]), setting.variable
    said = file.said.get(setting.parameter)
    return (said.texts, said.at) if said else ((), "")


def options(read: Read, environment: Mapping[str, str]) -> Iterator[Check]:
    """Tell what a scan would not take, but for what has a line of its own."""
    found = list(read.wrong_of("options"))
    log_format = environment.get(LOG_FORMAT, "")
    if log_format and log_format not in tuple(LogFormat):
        said = f"{LOG_FORMAT} is never '{log_format}'{did_you_mean(log_format, tuple(LogFormat))}"
        error = UsageError(
            said if said.endswith("?") else f"{said}.", help=f"It is {' or '.join(LogFormat)}."
        )
        found.append(problem("options", error))
    if not read.is_whole:
        found.append(unchecked("options", WRONG_FILE))
    yield from found or [ok("options", "the settings hold nothing that scan would not take")]


def jobs(read: Read, only: Sequence[str]) -> tuple[tuple[Job, ...], tuple[Check, ...]]:
    """Return the organizations that a scan would look at, and what is wrong with the choice.

    There are none to look at while nobody knows which the file lists.
    """
    if not read.is_whole:
        names = ("policies", "admin key", "connection", *Collection, "clock", "outputs")
        return (), tuple(unchecked(name, WRONG_FILE) for name in names)
    try:
        return jobs_of(read.chosen, read.file.organizations, only), ()
    except UsageError as error:
        mended = error.help or "keyvigil config show --origin tells what is said where."
        told = problem("organizations", UsageError(str(error), help=mended))
        return (), (told,)
