"""An organization that changes, the names under which it is scanned, and the rules of each."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from scanner.identity import NameSource
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import Account, Member, ProjectKey, SandboxProject
from tests.revocation.disturbing import KEY_NAMES, OWNER_NAMES, PROJECT_NAMES
from tests.revocation.staging import ACME, START
from tests.revocation.truth import AFTER

RULES: Final = {
    "old": ("expire", "{ age: { over: 90d } }"),
    "unused": ("restrict", "{ all: [{ used: false }, { age: { over: 30d } }] }"),
    "left": ("delete", "{ owner.state: left_org }"),
    "orphan": ("delete", "{ owner.state: service_account_missing }"),
}
NAMES: Final = {
    ACME: (NameSource.API, tuple(RULES)),
    "ages": (NameSource.CHOSEN, ("old", "unused")),
    "offboarding": (NameSource.CHOSEN, ("left", "orphan", "unused")),
}
RULE = """
  - id: {id}
    title: T
    severity: high
    violated_when: {when}
    why: W
    fix: F
    respond: {{ revoke: {method}, after: {after}d }}"""
EXCEPTED = """
exceptions:
  - rule: old
    when: {{ key.id: {key} }}
    reason: R
    owner: o@example.com
    expires: 2028-01-01
"""
NUMBERS: Final = st.integers(0, 999)
KEYS: Final = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5)
CHANGES: Final = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "make_a_key",
                "make_a_key",
                "use_a_key",
                "leave_or_come_back",
                "except_a_key",
                "rename",
                "list_a_key_twice_or_once",
            ]
        ),
        NUMBERS,
        NUMBERS,
    ),
    max_size=4,
)
Item = TypeVar("Item")


@cache
def policy_of(name: str, excepted: str) -> Policy:
    """Return what is evaluated under a name, with an exception for a key, if any."""
    _, ids = NAMES[name]
    text = "policy: mine\nrules:"
    for one in ids:
        method, when = RULES[one]
        text += RULE.format(id=one, when=when, method=method, after=AFTER[one])
    if excepted and "old" in ids:
        text += EXCEPTED.format(key=excepted)
    return parse_policy(text, "mine.yaml")


def one_of(items: Sequence[Item], number: int) -> Item:
    return items[number % len(items)]


class Company:
    """An organization of three projects, one of them protected; numbers choose what changes."""

    def __init__(self) -> None:
        self.excepted = ""
        self.builder = Builder(ACME, seed=5, now=int(START.timestamp()))
        self.organization = self.builder.organization
        self.builder.member("Bo Lind", role="owner")
        self.members = [self.builder.member(name) for name in ("Ada Ito", "Cy Ode", "Di Fay")]
        self.projects = [
            self.builder.project(name, *self.members) for name in ("chat", "web", "shop-prod")
        ]
        self.accounts = [
            (project, self.builder.account(project, f"robot {project.name}", age=500))
            for project in self.projects[:2]
        ]

    def change(self, name: str, number: int, value: int, now: int) -> None:
        self.builder.now = now
        getattr(self, name)(number, value)

    def make_a_key(self, number: int, value: int) -> None:
        """Make one of an owner: an unprotected project has most, and most violate a rule."""
        project = one_of([self.projects[0]] * 2 + self.projects, number)
        owners: list[Member | Account] = [*self.members]
        owners += [account for of, account in self.accounts if of is project] * 2
        age = one_of([95, 300, 60, 40, 88, 20, 3], value)
        used = one_of([40, None, 2, 0.5, None], value // 7)
        self.builder.key(
            project,
            one_of(owners, number // 5),
            "same name",
            age=age,
            used=None if used is None else min(used, age),
            expires=one_of([None, None, None, 3, 60], number // 30),
        )

    def use_a_key(self, number: int, _value: int) -> None:
        for _, key in self._some_key(number):
            key.last_used_at = self.builder.now

    def leave_or_come_back(self, number: int, value: int) -> None:
        if value % 3 == 0:
            project, account = one_of(self.accounts, number)
            if project.accounts.pop(account.id, None) is None:
                project.accounts[account.id] = account
            return
        member = one_of(self.members, number)
        if member.id in self.organization.members:
            self.builder.leave(member)
            return
        self.organization.members[member.id] = member
        for project in self.projects:
            project.roles[member.id] = "member"

    def except_a_key(self, number: int, _value: int) -> None:
        for _, key in self._some_key(number):
            self.excepted = "" if self.excepted == key.id else key.id

    def rename(self, number: int, value: int) -> None:
        """Rename a key, an owner or a project; half of the names are protected or unknown."""
        names = one_of([KEY_NAMES, OWNER_NAMES, PROJECT_NAMES], value)
        name: Any = one_of([*names, *["mobile"] * len(names)], value // 3)
        if names is PROJECT_NAMES:
            one_of(self.projects[:2], number).name = name
        elif names is OWNER_NAMES:
            one_of(self.members, number).name = name
        else:
            for _, key in self._some_key(number):
                key.name = name

    def list_a_key_twice_or_once(self, number: int, value: int) -> None:
        for project, key in self._some_key(number):
            others = [one for one in self.projects if one is not project]
            listed = [one for one in others if one.keys.pop(key.id, None)]
            if not listed:
                one_of(others, value).keys[key.id] = key

    def _some_key(self, number: int) -> list[tuple[SandboxProject, ProjectKey]]:
        """Return one key with its project, if there is any."""
        keys = [*self.organization.project_keys()]
        return [one_of(keys, number)] if keys else []
