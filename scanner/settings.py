"""Chosen options -> frozen settings, checked before the first request."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import platformdirs

from scanner.database_address import UnfitError, check_database_address
from scanner.errors import CredentialError, UsageError
from scanner.openai_api.connections import Network
from scanner.references import Reference, fetch
from scanner.secret import Secret
from scanner.setting import Chosen
from scanner.settings_table import (
    BASE_URL,
    CA_BUNDLE,
    CONCURRENCY,
    DEADLINE,
    KEEP,
    KEEP_SNAPSHOTS,
    LEASE,
    PROXY,
    STORE,
    TIMEOUT,
)
from scanner.spelling import RENAMED
from scanner.variables import NAMES

ADMIN_KEY: Final = "OPENAI_ADMIN_KEY"
NOWHERE: Final = "none"
"""Keeps no history."""
_STORE_HERE: Final = "The location of the history"

_MAKE_ONE: Final = "Create an admin key under Organization > Admin keys in the OpenAI settings and"
_NOT_ADMIN: Final = {
    "sk-proj-": "a project key",
    "sk-svcacct-": "a service account's project key",
    "sk-": "a user or project key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach one organization: `base_url` without a slash at its end.

    `concurrency` is the most concurrent requests; `deadline` is in seconds, None: no deadline.
    """

    admin_key: Secret
    base_url: str
    concurrency: int = CONCURRENCY.default
    deadline: float | None = None
    network: Network = field(default_factory=Network)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The history's location, retention, and the seconds until a dead scan's lock is free.

    `place` is a Secret, as a database's address can contain a password.
    """

    place: Secret
    keep: timedelta = KEEP.default
    keep_snapshots: int = KEEP_SNAPSHOTS.default
    lease: float = LEASE.default


def read_settings(
    chosen: Chosen, environment: Mapping[str, str], key: Reference | None = None
) -> Settings:
    """Fetch the admin key, from `key` or else OPENAI_ADMIN_KEY.

    Raise CredentialError if it is missing or not an admin key, SecretUnavailable if a retry may
    succeed.
    """
    minutes = chosen[DEADLINE]
    return Settings(
        admin_key=_fetched(key, environment) if key else _own_key(environment),
        base_url=chosen[BASE_URL],
        concurrency=chosen[CONCURRENCY],
        deadline=minutes and minutes * 60,
        network=Network(proxy=chosen[PROXY], ca_bundle=chosen[CA_BUNDLE], timeout=chosen[TIMEOUT]),
    )


def store_settings(chosen: Chosen, environment: Mapping[str, str]) -> StoreSettings | None:
    """Return the history's location and retention; None if no history is kept.

    Raise as `fetch` does if the location comes from a variable or file and cannot be read.
    """
    said = chosen[STORE]
    place = find_place(said.reveal() if said else None, environment)
    if place is None:
        return None
    return StoreSettings(
        place=place,
        keep=chosen[KEEP],
        keep_snapshots=chosen[KEEP_SNAPSHOTS],
        lease=chosen[LEASE],
    )


def read_store_settings(environment: Mapping[str, str], place: str | None) -> StoreSettings | None:
    """Return the settings of a history that is only read; None if `place` is `none`."""
    found = find_place(place, environment)
    return StoreSettings(place=found) if found else None


def find_place(place: str | None, environment: Mapping[str, str]) -> Secret | None:
    """Return the history's location, with `env:NAME` and `file:PATH` resolved; None: no history.

    Raise as `fetch` does if the variable or file cannot be read.
    """
    if place == NOWHERE:
        return None
    if not place:
        return Secret(str(platformdirs.user_state_path("keyvigil") / "history.db"))
    found = _checked_place(_STORE_HERE, Secret(place), STORE.kind.read)
    way, colon, where = place.partition(":")
    if not colon or way not in ("env", "file"):
        return found
    is_file = way == "file"
    source = Reference(
        variable="" if is_file else where, file=Path(where) if is_file else None, at=_STORE_HERE
    )
    found = fetch(source, environment)
    if found.reveal() == NOWHERE:
        return None
    return _checked_place(f"{_STORE_HERE}: {source}", found, check_database_address)


def _checked_place(at: str, place: Secret, check: Callable[[str], object]) -> Secret:
    try:
        check(place.reveal())
    except UnfitError as error:
        raise UsageError(f"{at} {error}.", help=error.advice) from None
    except ValueError as error:
        raise UsageError(f"{at} {error}.") from None
    return place


def refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Raise UsageError for a variable that misspells a setting: it would have no effect."""
    for name, near in misspelt(environment):
        is_renamed = RENAMED.get(name) == near
        raise UsageError(
            f"The environment variable {name} is not a setting.",
            help=f"Use its new name, {near}." if is_renamed else f"Did you mean {near}?",
        )


def misspelt(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each variable that misspells the name of a setting, and the probable name."""
    for name in sorted(environment):
        if name.startswith("KEYVIGIL_") and name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.9)
            if name in RENAMED or near:
                yield name, RENAMED.get(name) or near[0]


def _own_key(environment: Mapping[str, str]) -> Secret:
    key = environment.get(ADMIN_KEY, "").strip()
    if not key:
        raise CredentialError(
            f"The admin key is missing: {ADMIN_KEY} is not set.",
            help=f"{_MAKE_ONE} put it into {ADMIN_KEY}.",
        )
    return _admin_key(Secret(key), ADMIN_KEY, f"put it into {ADMIN_KEY}")


def _fetched(key: Reference, environment: Mapping[str, str]) -> Secret:
    mend = f"make {key} print it" if key.command else f"put it into {key}"
    return _admin_key(fetch(key, environment), f"{key.at}: {key}", mend)


def _admin_key(secret: Secret, name: str, mend: str) -> Secret:
    """Return the key if it looks like an admin key; else raise CredentialError with its source."""
    advice = f"{_MAKE_ONE} {mend}."
    key = secret.reveal()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise CredentialError(
            f"{name} contains characters that are not valid in a key.", help=advice
        )
    if not key.startswith("sk-admin-"):
        kinds = (f"{kind} ({p}...)" for p, kind in _NOT_ADMIN.items() if key.startswith(p))
        raise CredentialError(
            f"{name} contains {next(kinds, 'a value that is not an OpenAI key')}. The"
            " Administration API accepts only admin keys (sk-admin-...). No request was sent.",
            help=advice,
        )
    return secret
