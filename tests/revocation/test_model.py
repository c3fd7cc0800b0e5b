"""Random organizations, clocks, faults and crashes: what must never happen, never does.

Whether a key may be revoked is told here by other code than the product's: from what the sandbox
knows at the moment at which a request for a change arrives.
"""

import tempfile
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from scanner.policy.parse import parse_policy
from scanner.receipt import broken_at
from scanner.revocation import Mode
from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import DAY, Member, ProjectKey
from tests.revocation.mortal import Killed
from tests.revocation.staging import ACME, START, WIDE, staged
from tests.store.making import a_store

RULE = """
  - id: {id}
    title: T
    severity: high
    violated_when: {when}
    why: W
    fix: F
    respond: {{ revoke: {method}, after: {after} }}"""
RULES = "policy: mine\nrules:" + "".join(
    RULE.format(id=name, when=when, method=method, after=after)
    for name, when, method, after in (
        ("old", "{ age: { over: 90d } }", "expire", "2d"),
        ("left", "{ owner.state: left_org }", "delete", "1d"),
        ("unused", "{ all: [{ used: false }, { age: { over: 30d } }] }", "restrict", "1d"),
    )
)
EXCEPTED = """
exceptions:
  - rule: old
    when: {{ key.id: {key} }}
    reason: R
    owner: o@example.com
    expires: 2028-01-01
"""
FAULTS = st.lists(
    st.sampled_from(
        ["before", "after", "silent before", "silent after", 500, -500, 404, 400, 408, 429, 403, ""]
    ),
    max_size=4,
)


class Revoking(RuleBasedStateMachine):
    """One organization through random nights."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        folder = Path(self.closing.enter_context(tempfile.TemporaryDirectory()))
        self.builder = Builder(ACME, seed=5, now=int(START.timestamp()))
        self.builder.member("Bo Lind", role="owner")
        self.members = [self.builder.member(name) for name in ("Ada Ito", "Cy Ode", "Di Fay")]
        self.projects = [
            self.builder.project("chat", *self.members),
            self.builder.project("shop-prod", *self.members),
        ]
        store = a_store(str(folder / "history.db"))
        self.stage = self.closing.enter_context(staged(self.builder.organization, store))
        self.stage.timeout = 0.5
        self.stage.policies = (parse_policy(RULES, "mine.yaml"),)
        self.stage.api.on_write = self.judge
        self.excepted: set[str] = set()
        self.changed: list[tuple[str, float]] = []
        self.wrongs: list[str] = []
        self.most = 0

    @initialize(most=st.sampled_from([5, 8, 3, 2, 1, 0]), keys=st.integers(3, 8), data=st.data())
    def found(self, most: int, keys: int, data: st.DataObject) -> None:
        self.most = most
        self.stage.bounds = replace(WIDE, max_keys=most, protected_projects=("*-prod",))
        for _ in range(keys):
            self.make_key(data)

    @rule(data=st.data())
    def make_key(self, data: st.DataObject) -> None:
        self.builder.now = int(self.now)
        age = data.draw(st.sampled_from([95, 300, 60, 40, 89, 20, 3]))
        used = data.draw(st.sampled_from([40, None, 2, 0.5]))
        self.builder.key(
            data.draw(st.sampled_from([self.projects[0], *self.projects])),
            data.draw(st.sampled_from(self.members)),
            "same name",
            age=age,
            used=None if used is None else min(used, age),
            expires=data.draw(st.sampled_from([None, None, 3, 60])),
        )

    @precondition(lambda self: self.keys())
    @rule(data=st.data())
    def use_a_key(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.keys())).last_used_at = int(self.now)

    @rule(data=st.data())
    def leave_or_come_back(self, data: st.DataObject) -> None:
        member: Member = data.draw(st.sampled_from(self.members))
        organization = self.stage.organization
        if member.id in organization.members:
            self.builder.leave(member)
            return
        organization.members[member.id] = member
        for project in self.projects:
            project.roles[member.id] = "member"

    @precondition(lambda self: self.keys())
    @rule(data=st.data())
    def except_a_key(self, data: st.DataObject) -> None:
        self.excepted = {data.draw(st.sampled_from(self.keys())).id}
        text = RULES + "".join(EXCEPTED.format(key=key) for key in self.excepted)
        self.stage.policies = (parse_policy(text, "mine.yaml"),)

    @rule(mode=st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.PLAN]), is_told=st.booleans())
    def set_up(self, mode: Mode, *, is_told: bool) -> None:
        self.stage.bounds = replace(self.stage.bounds, mode=mode)
        self.stage.told = is_told or mode is Mode.ENFORCE

    @rule(nights=st.integers(1, 4))
    def quiet_nights(self, nights: int) -> None:
        for _ in range(nights):
            self.stage.night(everything=True)

    @rule(
        hours=st.sampled_from([1, 8, 24, 24, 24, 48]),
        faults=FAULTS,
        unseen=st.sampled_from([0, 0, 0, 1, 3]),
        killed_at=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 9, 12]),
    )
    def night(self, hours: int, faults: list[Any], unseen: int, killed_at: int) -> None:
        self.stage.api.faults, self.stage.api.unseen = [*faults], unseen
        with suppress(Killed):
            self.stage.night(days=hours / 24, killed_at=killed_at, everything=True)
        self.stage.api.faults, self.stage.api.unseen = [], 0

    @invariant()
    def nothing_wrong(self) -> None:
        assert self.wrongs == []
        once = Counter(key_id for key_id, _ in self.changed)
        assert all(count == 1 for count in once.values()), once
        times = sorted(at for _, at in self.changed)
        for at in times:
            assert sum(at - DAY < other <= at for other in times) <= self.most
        for entries in self.stage.store.journals().values():
            assert broken_at(entries) is None

    def teardown(self) -> None:
        """Two quiet nights later everything that was begun has an end."""
        self.stage.timeout = 5.0
        for _ in range(2):
            self.stage.night(everything=True)
        self.nothing_wrong()
        acts = self.stage.acts()
        assert all(act.outcome for act in acts)
        intended = {act.intent.key_id for act in acts}
        assert {key_id for key_id, _ in self.changed} <= intended
        event(f"{len(self.changed)} keys changed")
        self.closing.close()

    def judge(self, method: str, path: str) -> None:
        """Hold a request for a change against what is true at this moment."""
        *_, project_id, _, key_id = path.split("/")
        project = self.stage.organization.projects[project_id]
        key = project.keys.get(key_id)
        if key is None:
            self.wrongs.append(f"{method} of {key_id}, which is gone")
            return
        age = self.now - key.created_at
        is_old = age > 90 * DAY and key_id not in self.excepted
        has_left = key.owner.id not in self.stage.organization.members
        is_unused = key.last_used_at is None and age > 30 * DAY
        why = is_old or is_unused if method == "POST" else has_left
        is_idle = key.last_used_at is None or self.now - key.last_used_at >= DAY
        may = project.name == "chat" and age >= 7 * DAY and is_idle
        if not (why and may and self.stage.bounds.mode is Mode.ENFORCE):
            self.wrongs.append(f"{method} of {key_id}")
        is_made = not self.stage.api.faults or self.stage.api.faults[0] in (
            "",
            "after",
            "silent after",
            -500,
        )
        if is_made:
            self.changed.append((key_id, self.now))

    def keys(self) -> list[ProjectKey]:
        return [key for _, key in self.stage.organization.project_keys()]

    @property
    def now(self) -> float:
        return self.stage.moment.timestamp()


TestRevoking = pytest.mark.slow(Revoking.TestCase)
TestRevoking.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
