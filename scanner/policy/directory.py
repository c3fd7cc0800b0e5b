"""The inventory, indexed once for all keys."""

from collections import Counter, defaultdict
from datetime import datetime
from functools import cached_property
from typing import Final

from scanner.collection import Collection
from scanner.inventory import (
    AuditEvent,
    AuditKind,
    Coverage,
    CoverageState,
    Inventory,
    Key,
    KeyState,
    Project,
    ServiceAccount,
    Unknown,
    User,
    oldest_first,
)
from scanner.plausible import plausible_key

_DEAD: Final = frozenset({KeyState.DISABLED, KeyState.EXPIRED})


class Directory:
    """The inventory, indexed once for all keys, as of `now`.

    `knows_usage`: the usage of all keys was collected. `why_keys_unseen`: why some keys of the
    organization may be missing, or None.
    """

    def __init__(self, inventory: Inventory, now: datetime) -> None:
        self._now = now
        self.projects: dict[str | None, Project] = {p.id: p for p in inventory.projects}
        self.users: dict[str | Unknown, User] = {user.id: user for user in inventory.users}
        self._accounts: dict[tuple[str | None, str | Unknown], ServiceAccount] = {
            (account.project_id, account.id): account for account in inventory.service_accounts
        }
        self._keys = inventory.keys
        self.uses = {use.key_id: use for use in inventory.uses}
        self.costs = {cost.key_id: cost.usd for cost in inventory.costs}
        self.events: defaultdict[str, list[AuditEvent]] = defaultdict(list)
        for event in oldest_first(inventory.events):
            self.events[event.subject_id].append(event)
        self._listed: defaultdict[Collection, dict[str | None, str | None]] = defaultdict(dict)
        for listing in inventory.coverage:
            listed = self._listed[listing.collection]
            if listed.get(listing.project_id) is None:  # of several listings, a gap has priority
                listed[listing.project_id] = _gap(listing)
        self._absent_since = dict(inventory.absent_since)
        self.knows_usage = self.why_activity_unseen(Collection.USAGE) is None
        self.why_keys_unseen = self._why_keys_unseen()

    def left_at(self, key: Key) -> datetime | None:
        """Return when a key's owner had certainly left: by the audit log, or by a listing.

        Earlier departures than the key's creation do not count: the owner must have rejoined.
        """
        owner_id = str(key.owner.id)
        times = [
            event.at
            for event in self.events.get(owner_id, ())
            if event.kind is AuditKind.USER_DELETED and isinstance(event.at, datetime)
        ][-1:]
        times += filter(None, [self._absent_since.get(owner_id)])
        earliest = key.created_at
        return next((t for t in times if isinstance(earliest, Unknown) or t >= earliest), None)

    def has_account(self, key: Key) -> bool:
        """Whether the service account that owns the key was listed in the key's project."""
        return (key.project_id, key.owner.id) in self._accounts

    def account_of(self, key: Key) -> ServiceAccount | None:
        """Return the service account that owns the key, if it was listed in the key's project."""
        return self._accounts.get((key.project_id, key.owner.id))

    @cached_property
    def keys_of_owner(self) -> Counter[str | Unknown]:
        """The number of live keys of each owner."""
        return Counter(key.owner.id for key in self._live)

    @cached_property
    def keys_of_member(self) -> Counter[tuple[str | None, str | Unknown]]:
        """The number of live keys of each owner in each project."""
        return Counter((key.project_id, key.owner.id) for key in self._live)

    @cached_property
    def keys_of_unknown_owner(self) -> Counter[str | None]:
        """The number of live keys with an unknown owner in each project; None: in all projects."""
        projects = [key.project_id for key in self._live if isinstance(key.owner.id, Unknown)]
        return Counter([*projects, *(None for project_id in projects if project_id)])

    @cached_property
    def keys_of_project(self) -> Counter[str | None]:
        """The number of live keys of each project."""
        return Counter(key.project_id for key in self._live)

    @cached_property
    def _live(self) -> list[Key]:
        """The keys that are, or may be, live."""
        now, projects = self._now, self.projects
        dated = (plausible_key(key, projects.get(key.project_id), now) for key in self._keys)
        return [key for key in dated if key.state(now) not in _DEAD]

    def why_unseen(self, collection: Collection, project_id: str | None = None) -> str | None:
        """Return why that listing was not collected completely, or None if it was."""
        try:
            return self._listed[collection][project_id]
        except KeyError:
            return f"{collection} were not requested"

    def why_activity_unseen(self, collection: Collection) -> str | None:
        """Return why usage, costs or the audit log are not reliable, or None if they are.

        Usage or costs whose key ids match no key of the organization use other ids.
        """
        reason = self.why_unseen(collection)
        if reason is not None or collection is Collection.AUDIT_LOGS:
            return reason
        named = self.uses if collection is Collection.USAGE else self.costs
        if named and not any(key.id in named for key in self._keys):
            return f"the key ids in {collection} match no listed key"
        return None

    def _why_keys_unseen(self) -> str | None:
        for collection in (Collection.PROJECTS, Collection.PROJECT_KEYS, Collection.ADMIN_KEYS):
            if any(self._listed[collection].values()):
                return f"not all {collection} of the organization could be listed"
        return None


def _gap(listing: Coverage) -> str | None:
    """Return why a listing is not complete; a project's reason is only in its coverage."""
    if listing.state is CoverageState.COMPLETE:
        return None
    if listing.project_id is not None:
        return f"the project's {listing.collection} could not be listed"
    return f"{listing.collection} could not be listed: {listing.reason}"
