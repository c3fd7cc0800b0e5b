"""Which history a scan continues: by its name, or by its projects if the name is new. Pure.

A project's id is unique at OpenAI: two scans that collected the same project are scans of one
organization. A name that the operator chose always has its own history; for a name from the API,
or without a name, the projects decide.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from scanner.errors import UsageError

UNNAMED: Final = "unnamed"
"""The history of an organization without a name."""
NAME_IT: Final = (
    "Set a name with --organization, KEYVIGIL_ORGANIZATION or organization in keyvigil.yaml."
)


class NameSource(StrEnum):
    """The source of a history's name: none, the API, or the operator, whose choice has priority."""

    DEFAULT = "default"
    API = "api"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHistory:
    """A recorded history. `organization` identifies its rows and never changes.

    `names` are all its names with their sources, the one to show last. `has_projects`: the projects
    of some of its scans are recorded.
    """

    organization: str
    names: tuple[tuple[str, NameSource], ...]
    has_projects: bool
    last_scan: datetime

    @property
    def name(self) -> str:
        """The name to show."""
        return self.names[-1][0] if self.names else self.organization

    def has_only(self, source: NameSource) -> bool:
        """Whether all its names are from this source."""
        return all(known is source for _, known in self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The history that a scan continues, or starts if `is_new`.

    `organization` identifies its rows, `name` is its name in this scan. `renamed_from` is its
    previous name, if this scan records the new one. `others` are the names of other histories of
    the same projects, if this one is new.
    """

    organization: str
    name: str
    source: NameSource
    is_new: bool = False
    renamed_from: str | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a scan records about its organization: its history and its projects."""

    identity: Identity
    project_ids: tuple[str, ...]


def identify(
    name: str,
    source: NameSource,
    known: KnownHistory | None,
    sharing: Sequence[KnownHistory],
    *,
    has_projects: bool = True,
) -> Identity:
    """Return the history a scan continues. `known` has its name, `sharing` have a common project.

    `has_projects`: the organization's projects were listed. Raise UsageError if a name that the
    operator did not choose belongs to the history of another organization.
    """
    followed = known
    if source is NameSource.CHOSEN:
        followed = known or _latest(one for one in sharing if one.has_only(NameSource.DEFAULT))
    elif known is None or known.organization not in {one.organization for one in sharing}:
        followed = _latest(one for one in sharing if not one.has_only(NameSource.CHOSEN))
        if followed is None and known is not None:
            if known.has_projects and has_projects:
                raise _another(name, source)
            followed = known
    if followed is None:
        others = tuple(one.name for one in sharing)
        return Identity(organization=name, name=name, source=source, is_new=True, others=others)
    is_named = source is not NameSource.DEFAULT
    is_renamed = is_named and name not in dict(followed.names)
    return Identity(
        organization=followed.organization,
        name=name if is_named else followed.name,
        source=source,
        renamed_from=followed.name if is_renamed else None,
    )


def _latest(histories: Iterable[KnownHistory]) -> KnownHistory | None:
    return max(histories, key=lambda one: one.last_scan, default=None)


def _another(name: str, source: NameSource) -> UsageError:
    what = "The API returned no name for the organization, and the"
    if source is NameSource.API:
        what = "Two organizations have the same name in the API: the"
    return UsageError(
        f"{what} history '{name}' belongs to an organization with other projects. No scan was run.",
        help=f"{NAME_IT} Each organization needs its own name.",
    )
