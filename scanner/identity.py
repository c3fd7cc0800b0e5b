"""Whose history a scan continues: by its name, or by its projects where its name is new. Pure.

A project's id is unique to OpenAI: two scans that collected the same project are scans of one
organization. A name that the operator chose is always kept apart from other histories; a name that
the API gives, and none at all, are followed by the projects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from scanner.errors import UsageError

UNNAMED: Final = "unnamed"
"""The history of an organization to which nobody and nothing gives a name."""
NAME_IT: Final = (
    "Set a name with --organization, KEYVIGIL_ORGANIZATION or organization in keyvigil.yaml."
)


class NameSource(StrEnum):
    """Where a history's name comes from: no one, the API, or the operator, whose choice counts."""

    DEFAULT = "default"
    API = "api"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHistory:
    """A recorded history. `organization` is what its rows are kept under and never changes.

    `names` are all that it ever had with their sources: those chosen last, else the latest.
    `has_projects`: the projects of some of its scans are recorded.
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
        """Whether all its names are from there."""
        return all(known is source for _, known in self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The history that a scan continues, or starts if `is_new`.

    `organization` is what its rows are kept under, `name` how this scan calls it. `renamed_from` is
    its name until now, if the new one is recorded with this scan. `others` are the names of other
    histories of the same projects, if this one is new.
    """

    organization: str
    name: str
    source: NameSource
    is_new: bool = False
    renamed_from: str | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a scan records of its organization: which history it continues, and its projects."""

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
    """Return which history a scan continues. `known` has that name, `sharing` a common project.

    `has_projects`: the organization's projects could be listed. Raise UsageError if a name that
    the operator did not choose leads to the history of another organization.
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
    what = "The API does not name the organization, and the"
    if source is NameSource.API:
        what = "The API names the organization as another one: the"
    return UsageError(
        f"{what} history '{name}' is that of an organization with other projects:"
        " nothing was scanned.",
        help=f"{NAME_IT} Each organization needs its own.",
    )
