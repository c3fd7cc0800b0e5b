"""The daemon's settings and policies: read, validated like in a scan, and copied for scans."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from glob import escape, glob
from itertools import count
from pathlib import Path
from typing import Final, Protocol

from scanner.alert_settings import read_alert_settings
from scanner.copied import COPIES, reading_copies
from scanner.daemon.copies import Copies
from scanner.errors import KeyVigilError
from scanner.path_template import of_organization
from scanner.policy_files import load_policies
from scanner.schedule import Times
from scanner.settings_file import (
    CONFIG,
    DEFAULT_FILE,
    FileSettings,
    find_settings_file,
    read_bounds,
    read_settings_file,
    timing_of,
)
from scanner.settings_table import METRICS, POLICIES

_ANY: Final = "{organization}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The configuration of the next scans; `words` describe the schedule, `arguments` a scan.

    `environment` is added to that of child processes; `organizations` are the names in the
    settings. `textfile` is the path template of the metrics files of scans.
    """

    times: Times
    timeout: timedelta
    words: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    organizations: tuple[str, ...] = ()
    textfile: Path | None = None

    def textfiles(self) -> tuple[Path, ...]:
        """Return the paths of the metrics files of scans; they may not exist yet."""
        if self.textfile is None:
            return ()
        text = str(self.textfile)
        if self.organizations:
            named = (Path(of_organization(text, name)) for name in self.organizations)
            return tuple(dict.fromkeys(named))
        if _ANY not in text:
            return (self.textfile,)
        pattern = "*".join(map(escape, text.split(_ANY)))
        return tuple(map(Path, sorted(glob(pattern))))  # noqa: PTH207 - an absolute path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options from the command line and the environment; `rest` is passed to every scan.

    Without `policies` or `textfile` the settings apply. If these have no metrics file, it is
    next to `history`, if that is a file, or else in the private folder.
    """

    config: Path | None
    policies: Sequence[str] = ()
    textfile: Path | None = None
    history: Path | None = None
    cron: str | None = None
    time_zone: str | None = None
    rest: tuple[str, ...] = ()


class Loading(Protocol):
    """Loads the settings and policies, again after each change."""

    def load(self) -> Loaded:
        """Read all files; if they are invalid, raise a KeyVigilError and keep the previous ones."""
        ...

    def tidy(self) -> None:
        """Remove copies that are no longer used; called while no scan is running."""
        ...

    def state(self) -> object:
        """Return a value that differs after any file has changed."""
        ...


class Files:
    """Implements Loading for the files in `options`, with copies in a private folder."""

    def __init__(
        self,
        options: Options,
        environment: Mapping[str, str],
        folder: Path,
        check: Callable[[FileSettings], None] = lambda _file: None,
    ) -> None:
        """`check` raises a KeyVigilError for settings that every scan would refuse."""
        self._options, self._check = options, check
        self._environment = environment
        self._folder = folder
        self._numbers = count(1)
        self._copies: Copies | None = None
        self._old: list[Copies] = []
        self._watched: tuple[Path, ...] = ()

    def load(self) -> Loaded:
        """Copy the files and validate the copies, so that scans read what was validated."""
        copies = Copies(self._folder / str(next(self._numbers)))
        try:
            with reading_copies(copies.folder):
                loaded = self._checked(copies)
        except KeyVigilError:
            self._watch(copies, *self._watched)
            copies.drop()
            raise
        if self._copies is not None:
            self._old.append(self._copies)
        self._copies = copies
        self._watch(copies)
        return loaded

    def tidy(self) -> None:
        """Remove all copies except the latest."""
        while self._old:
            self._old.pop().drop()

    def state(self) -> object:
        """Return modification time, size and inode of each file."""
        return tuple(_stat(path) for path in self._watched)

    def _checked(self, copies: Copies) -> Loaded:
        options, environment = self._options, self._environment
        found = find_settings_file(environment, options.config)
        config = copies.settings(found)
        file = read_settings_file(found or config)
        self._check(file)
        for names in _policies(options, file):
            for name in names:
                copies.policy(name)
            load_policies(names)
        read_alert_settings(environment, config)
        read_bounds(environment, config)
        said = file.said.get(METRICS.parameter)
        textfile = options.textfile or (Path(said.text) if said else None)
        kept = options.history or self._folder / "scan"
        usual = kept.with_name(f"{kept.name}{f'.{_ANY}' if file.organizations else ''}.prom")
        own = () if textfile else (METRICS.flag, str(usual))
        timing = timing_of(environment, config, options.cron, options.time_zone)
        return Loaded(
            times=timing.schedule,
            timeout=timing.timeout,
            words=timing.words,
            arguments=(*own, *options.rest),
            environment={CONFIG: str(config), COPIES: str(copies.folder)},
            organizations=tuple(one.name for one in file.organizations),
            textfile=textfile or usual,
        )

    def _watch(self, copies: Copies, *more: Path) -> None:
        """Watch the originals, and the default settings path if no settings file exists."""
        settings = find_settings_file(self._environment, self._options.config)
        self._watched = tuple(
            dict.fromkeys((*copies.originals, settings or Path(DEFAULT_FILE), *more))
        )


def _policies(options: Options, file: FileSettings) -> Iterator[Sequence[str]]:
    """Yield the policies of scans: those of `options`, or of the file and each organization."""
    if options.policies:
        yield options.policies
        return
    said = file.said.get(POLICIES.parameter)
    yield said.texts if said else POLICIES.default
    for organization in file.organizations:
        if POLICIES.parameter in organization.own:
            yield organization.own[POLICIES.parameter].texts


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
