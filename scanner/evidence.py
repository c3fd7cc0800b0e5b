"""Evidence in one scan's inventory for finding records that are no longer violated. Pure.

A record is resolved only by collected data: the key in the listing in which it was last found, or
that listing, complete and without the key.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

from scanner.collection import Collection
from scanner.finding import OwnerState
from scanner.inventory import CoverageState, Inventory, Key, KeyState, ProjectAccess, Unknown
from scanner.lifecycle import Case, Resolution
from scanner.plausible import plausible_key
from scanner.policy.subject import Subject, subjects

_OWNER_STATE: Final = "owner.state"
_KEY_STATE: Final = "key.state"
_NOT_LIVE: Final[Mapping[KeyState | Unknown, Resolution]] = {
    KeyState.EXPIRED: Resolution.KEY_EXPIRED,
    KeyState.DISABLED: Resolution.KEY_DISABLED,
}


class Evidence:
    """One scan's inventory, indexed for lookups by finding record."""

    def __init__(self, inventory: Inventory, now: datetime) -> None:
        self._inventory, self._now = inventory, now
        self._keys = {key.id: key for key in inventory.keys}
        self._projects = {project.id: project for project in inventory.projects}
        self._listed = {(row.collection, row.project_id) for row in inventory.coverage}
        self._gaps = {
            (row.collection, row.project_id)
            for row in inventory.coverage
            if row.state is not CoverageState.COMPLETE
        }

    def why_unverified(self, case: Case) -> str:
        """Return why this scan cannot verify the record's key in its place, or ""."""
        key = self._keys.get(case.key_id)
        if key is not None and key.project_id == case.project_id:
            return ""
        if case.project_id is None:
            return self._why_incomplete(Collection.ADMIN_KEYS)
        if case.project_id not in self._projects:
            return self._why_incomplete(Collection.PROJECTS)
        return self._why_incomplete(Collection.PROJECT_KEYS, case.project_id)

    def resolution(self, case: Case, definition: str) -> Resolution:
        """Return the resolution of a verifiable record; `definition` is its rule's current one."""
        key = self._keys.get(case.key_id)
        if key is None:
            return self._how_gone(case)
        state = self._plausible(key).state(self._now)
        if state in _NOT_LIVE and _KEY_STATE not in case.facts:
            return _NOT_LIVE[state]
        if definition != case.definition:
            return Resolution.POLICY_CHANGED
        is_restored = _OWNER_STATE in case.facts and self._is_owner_active(case)
        return Resolution.OWNER_RESTORED if is_restored else Resolution.FIXED

    def _is_owner_active(self, case: Case) -> bool:
        """Whether the recorded owner is active and, for a project key, has access to the project.

        The listing of admin keys does not contain access.
        """
        subject = self._subjects[case.key_id]
        key = subject.key
        has_access = key.project_id is None or key.project_access is ProjectAccess.ACTIVE
        is_same = (key.project_id, key.owner.id) == (case.project_id, case.owner_id)
        return is_same and has_access and subject.owner_state is OwnerState.ACTIVE

    def _how_gone(self, case: Case) -> Resolution:
        """Return KEY_ROTATED if the same owner created a newer key in the same place."""
        newest = self._newest.get((case.project_id, case.owner_id or ""))
        is_replaced = newest is not None and newest > case.first_seen
        return Resolution.KEY_ROTATED if is_replaced else Resolution.KEY_DELETED

    def _why_incomplete(self, collection: Collection, project_id: str | None = None) -> str:
        place = collection, project_id
        if place in self._listed and place not in self._gaps:
            return ""
        whose = "" if project_id is None else "the project's "
        return f"{whose}{collection.value} could not be listed"

    def _plausible(self, key: Key) -> Key:
        return plausible_key(key, self._projects.get(key.project_id or ""), self._now)

    @cached_property
    def _subjects(self) -> dict[str, Subject]:
        return {subject.key.id: subject for subject in subjects(self._inventory, self._now)}

    @cached_property
    def _newest(self) -> dict[tuple[str | None, str], datetime]:
        """When the newest key of each owner in each project was created."""
        newest: dict[tuple[str | None, str], datetime] = {}
        for key in map(self._plausible, self._inventory.keys):
            if isinstance(key.owner.id, str) and isinstance(key.created_at, datetime):
                place = key.project_id, key.owner.id
                newest[place] = max(newest.get(place, key.created_at), key.created_at)
        return newest
