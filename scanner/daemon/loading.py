"""What the daemon goes by: read from the files, checked as a scan would, and kept as copies."""

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
    """What the next scans go by; `words` spell the schedule, `arguments` are those of a scan.

    `environment` is what processes have beside the daemon's own; `organizations` are the names of
    those that the settings list. `textfile` is where scans leave their metrics, a template.
    """

    times: Times
    timeout: timedelta
    words: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    organizations: tuple[str, ...] = ()
    textfile: Path | None = None

    def textfiles(self) -> tuple[Path, ...]:
        """Return the files in which scans left their metrics, whether they are there or not."""
        if self.textfile is None:
            return ()
        text = str(self.textfile)
        if self.organizations:
            named = (Path(of_organization(text, name)) for name in self.organizations)
            return tuple(dict.fromkeys(named))
        if _ANY not in text:
            return (self.textfile,)
        pattern = "*".join(map(escape, text.split(_ANY)))
        return tuple(map(Path, sorted(glob(pattern))))  # noqa: PTH207 - a whole path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line and the environment say; `rest` is handed to every scan.

    Nothing said of policies or of a file for metrics lets the settings say it; if they do not,
    metrics go beside `history`, a file, or else into the private folder.
    """

    config: Path | None
    policies: Sequence[str] = ()
    textfile: Path | None = None
    history: Path | None = None
    cron: str | None = None
    time_zone: str | None = None
    rest: tuple[str, ...] = ()


class Loading(Protocol):
    """Reads what the daemon goes by, as often as it changes."""

    def load(self) -> Loaded:
        """Read all files; raise a KeyVigilError, and keep what was, if they cannot be used."""
        ...

    def tidy(self) -> None:
        """Remove copies that no scan will read any more; called while none runs."""
        ...

    def state(self) -> object:
        """Return what is another value once a file is."""
        ...


class Files:
    """Implements Loading by the files that `options` name, with copies under a private folder."""

    def __init__(
        self,
        options: Options,
        environment: Mapping[str, str],
        folder: Path,
        check: Callable[[FileSettings], None] = lambda _file: None,
    ) -> None:
        """`check` raises a KeyVigilError for what every scan by a file would refuse."""
        self._options, self._check = options, check
        self._environment = environment
        self._folder = folder
        self._numbers = count(1)
        self._copies: Copies | None = None
        self._old: list[Copies] = []
        self._watched: tuple[Path, ...] = ()

    def load(self) -> Loaded:
        """Copy the files and check the copies: what was checked is what the scans read."""
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
        """Remove the copies before the latest."""
        while self._old:
            self._old.pop().drop()

    def state(self) -> object:
        """Return when the files were changed, how large they are, and which."""
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
        """Watch the originals, and where settings would be if there were any."""
        settings = find_settings_file(self._environment, self._options.config)
        self._watched = tuple(
            dict.fromkeys((*copies.originals, settings or Path(DEFAULT_FILE), *more))
        )


def _policies(options: Options, file: FileSettings) -> Iterator[Sequence[str]]:
    """Yield by which policies there will be scans: what is said, or the file's and each one's."""
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
