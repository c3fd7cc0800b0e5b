"""What the daemon goes by: read from the files, checked as a scan would, and kept as copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Protocol

from scanner.alert_settings import read_alert_settings
from scanner.daemon.copies import Copies
from scanner.errors import KeyVigilError, PolicyError, UsageError
from scanner.policy_files import load_policies
from scanner.schedule import Times
from scanner.schedule_file import Timing, override
from scanner.settings_file import find_settings_file, read_bounds, read_settings_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the next scans go by; `words` spell the schedule, `arguments` are those of a scan."""

    times: Times
    timeout: timedelta
    words: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says about the files; `rest` is handed to every scan."""

    config: Path | None
    policies: Sequence[str]
    cron: str | None
    time_zone: str | None
    rest: tuple[str, ...]


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

    def __init__(self, options: Options, environment: Mapping[str, str], folder: Path) -> None:
        self._options = options
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
            loaded = self._checked(copies)
        except KeyVigilError as error:
            self._watch(copies, *self._watched)
            copies.drop()
            raise _of_originals(error, copies) from None
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
        config = copies.settings(find_settings_file(environment, options.config))
        policies = [copies.policy(name) for name in options.policies]
        timing = override(
            read_settings_file(config).timing, environment, options.cron, options.time_zone
        )
        read_alert_settings(environment, config)
        read_bounds(environment, config)
        load_policies(policies)
        return _loaded(timing, ("--config", str(config), *_each("--policy", policies)), options)

    def _watch(self, copies: Copies, *more: Path) -> None:
        """Watch the originals, and where settings would be if there were any."""
        settings = find_settings_file(self._environment, self._options.config)
        self._watched = tuple(
            dict.fromkeys((*copies.originals, settings or Path("keyvigil.yaml"), *more))
        )


def _loaded(timing: Timing, files: tuple[str, ...], options: Options) -> Loaded:
    return Loaded(
        times=timing.schedule,
        timeout=timing.timeout,
        words=timing.words,
        arguments=(*files, *options.rest),
    )


def _each(option: str, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (option, value))


def _of_originals(error: KeyVigilError, copies: Copies) -> KeyVigilError:
    """Return the error as the originals would have it."""
    named = copies.named_as_originals
    if not isinstance(error, PolicyError):
        return UsageError(named(str(error)), help=error.help)
    problems = (
        replace(one, file=named(one.file), message=named(one.message)) for one in error.problems
    )
    return type(error)(tuple(problems))


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
