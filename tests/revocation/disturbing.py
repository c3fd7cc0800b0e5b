"""What happens between a scan and what it does: changes of the truth, and wrong responses."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st

from scanner.sandbox.organization import (
    DAY,
    Account,
    Member,
    ProjectKey,
    SandboxOrganization,
    SandboxProject,
)
from tests.revocation.staging import Stage

_ROOT: Final = "/v1/organization"
NO_NAMES: Final = (None, "", 42)
PROJECT_NAMES: Final = ("chat-prod", "SHOP-PROD", "prod-prod", *NO_NAMES)
OWNER_NAMES: Final = ("VIP Ada", "vip x", "Vip 1", *NO_NAMES)
ADDRESSES: Final = ("a@vip.example.com", "X@VIP.example.com", "@vip.example.com", *NO_NAMES)
KEY_NAMES: Final = ("keep", "KEEP this", "keep-1", *NO_NAMES)
WRONG: Final = tuple(
    sign * timedelta(minutes=minutes)
    for sign in (-1, 1)
    for minutes in (6, 90, 24 * 60, 3 * 24 * 60, 40 * 24 * 60)
)
"""How far a clock that is wrong is ahead."""
CHANGES: Final = {
    "key": ("none", "name", "used", "moved", "listed twice", "deleted", "expires"),
    "owner": (
        *("none", "name", "listed name", "listed name", "own name"),
        *("address", "listed address", "listed address", "back"),
    ),
    "project": ("none", "name", "name", "name"),
    "clock": ("none",),
    "date": ("none",),
}
RESPONSES: Final[tuple[tuple[str | int, ...], ...]] = (
    (),
    (),
    ("another",),
    ("another",),
    ("another", "another"),
    ("another id",),
    ("no id",),
    (404,),
    (404, 404),
    (403,),
    (403, 403, 403),
    (500, 500),
)


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """A change of the `what` of the n-th key that is due, and the next `responses` about it."""

    number: int
    what: str
    change: str
    value: int
    responses: tuple[str | int, ...]


def _disturbances(what: str) -> st.SearchStrategy[Disturbance]:
    return st.builds(
        Disturbance,
        number=st.integers(0, 3),
        what=st.just(what),
        change=st.sampled_from(CHANGES[what]),
        value=st.integers(0, 20),
        responses=st.just(()) if what in {"clock", "date"} else st.sampled_from(RESPONSES),
    )


DISTURBANCES: Final = st.sampled_from(
    ["key", "key", "owner", "owner", "owner", "project", "project", "clock", "date"]
).flatmap(_disturbances)


@dataclass
class Disturbing:
    """Disturbs, until it is over; names are then as they were before."""

    stage: Stage
    _value: int = 0
    _undo: list[Callable[[], None]] = field(default_factory=list)

    @property
    def organization(self) -> SandboxOrganization:
        return self.stage.organization

    def disturb(self, one: Disturbance, project: SandboxProject, key: ProjectKey) -> None:
        self._value = one.value
        self.stage.api.another = self._another
        match one.what:
            case "clock":
                self.stage.ahead = WRONG[one.value % len(WRONG)]
            case "date":
                self.stage.api.undated = frozenset({"key"})
            case "key":
                self._change_key(one.change, project, key)
            case "owner":
                self._change_owner(one.change, project, key)
            case _ if one.change == "name":
                self._set(project, "name", self._one_of(PROJECT_NAMES))
        path = self._path(one.what, project, key)
        self.stage.api.misreads.extend((path, response) for response in one.responses)

    def end(self) -> None:
        while self._undo:
            self._undo.pop()()
        api = self.stage.api
        api.faults, api.misreads, api.undated = [], [], frozenset()
        self.stage.ahead = timedelta()

    def _change_key(self, change: str, project: SandboxProject, key: ProjectKey) -> None:
        match change:
            case "name":
                self._set(key, "name", self._one_of(KEY_NAMES))
            case "used":
                key.last_used_at = int(self.stage.moment.timestamp()) - 60
            case "expires":
                key.expires_at = int(self.stage.moment.timestamp()) + DAY
            case "moved" | "deleted" | "listed twice":
                if change != "listed twice":
                    project.keys.pop(key.id, None)
                if change != "deleted":
                    projects = list(self.organization.projects.values())
                    other = next(one for one in projects if one is not project)
                    other.keys[key.id] = key

    def _change_owner(self, change: str, project: SandboxProject, key: ProjectKey) -> None:
        owner = key.owner
        if change == "back":
            self._bring_back(project, owner)
        if change in {"none", "back"}:
            return
        attribute = "email" if "address" in change and isinstance(owner, Member) else "name"
        names = ADDRESSES if attribute == "email" else OWNER_NAMES
        renamed = replace(owner, **{attribute: self._one_of(names)})
        if not change.startswith("listed"):
            self._set(key, "owner", renamed)
        listed: dict[str, Any] = self.organization.members
        if isinstance(owner, Account):
            listed = project.accounts
        if owner.id in listed and not change.startswith("own"):
            before = listed[owner.id]
            listed[owner.id] = renamed
            self._undo.append(lambda: listed.__setitem__(owner.id, before))

    def _bring_back(self, project: SandboxProject, owner: Member | Account) -> None:
        if isinstance(owner, Account):
            project.accounts[owner.id] = owner
            return
        self.organization.members[owner.id] = owner
        for one in self.organization.projects.values():
            one.roles[owner.id] = "member"

    def _set(self, what: Any, attribute: str, value: Any) -> None:
        before = getattr(what, attribute)
        setattr(what, attribute, value)
        self._undo.append(lambda: setattr(what, attribute, before))

    def _one_of(self, values: tuple[Any, ...]) -> Any:
        return values[self._value % len(values)]

    def _path(self, what: str, project: SandboxProject, key: ProjectKey) -> str:
        """Return where a key, its owner or its project is read."""
        its_project = f"{_ROOT}/projects/{project.id}"
        match what:
            case "key":
                return f"{its_project}/api_keys/{key.id}"
            case "owner" if isinstance(key.owner, Account):
                return f"{its_project}/service_accounts/{key.owner.id}"
            case "owner":
                return f"{_ROOT}/users/{key.owner.id}"
            case _:
                return its_project

    def _another(self, path: str) -> str:
        """Return the path of another object of the same kind, if there is one."""
        *_, id_ = path.split("/")
        paths = [one for one in self._paths(path) if not one.endswith(f"/{id_}")]
        return paths[self._value % len(paths)] if paths else path

    def _paths(self, path: str) -> list[str]:
        projects = f"{_ROOT}/projects"
        all_projects = self.organization.projects.values()
        if "/users/" in path:
            return [f"{_ROOT}/users/{one}" for one in self.organization.members]
        if "/service_accounts/" in path:
            return [
                f"{projects}/{project.id}/service_accounts/{one}"
                for project in all_projects
                for one in project.accounts
            ]
        if "/api_keys/" in path:
            keys = self.organization.project_keys()
            return [f"{projects}/{project.id}/api_keys/{key.id}" for project, key in keys]
        return [f"{projects}/{project.id}" for project in all_projects]
