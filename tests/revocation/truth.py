"""Whether a key may be changed: by the truth of the sandbox in true time, not by the product."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from scanner.announcement import Delivery
from scanner.revocation import Mode
from scanner.sandbox.organization import DAY, Account, Member, ProjectKey, SandboxProject
from tests.revocation.staging import Stage

AFTER: Final = {"old": 3, "left": 1, "orphan": 1, "unused": 1}
"""The grace period of each rule, in days."""
PROTECTED_KEYS: Final = ("keep*",)
PROTECTED_PROJECTS: Final = ("*-prod",)
PROTECTED_OWNERS: Final = ("vip *", "*@vip.example.com")
SLACK: Final = 5 * 60
"""How far this machine's clock may be wrong, in seconds, while keys are changed."""


@dataclass
class Run:
    """One scan under one name, which then revokes."""

    name: str
    most: int
    ambiguous: frozenset[str]
    has_right_clock: bool
    mode: Mode
    refusals: int = 0


@dataclass(frozen=True)
class Notice:
    """People received that a rule will change a key, from a scan under a right clock."""

    name: str
    key_id: str
    rule: str
    at: float


@dataclass
class Truth:
    """Compares each request for a change with what is true when it arrives."""

    stage: Stage
    excepted: str = ""
    run: Run | None = None
    notices: list[Notice] = field(default_factory=list)
    changed: list[tuple[str, float]] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Receive all that the stage and its API do from now on."""
        self.stage.api.on_write = self.judge
        self.stage.api.on_refusal = self.note_refusal
        self.stage.on_delivery = self.note_delivery

    @property
    def now(self) -> float:
        return self.stage.moment.timestamp()

    @property
    def has_right_clock(self) -> bool:
        return abs(self.stage.ahead) <= timedelta(seconds=SLACK)

    def scanned(self, excepted: str) -> Run:
        """Begin a run; a notice whose finding this scan resolved counts no longer."""
        self.excepted = excepted
        listed = Counter(key.id for _, key in self.stage.organization.project_keys())
        bounds = self.stage.bounds
        self.run = Run(
            name=self.stage.name,
            most=min(bounds.max_keys, int(len(listed) * bounds.max_percent / 100)),
            ambiguous=frozenset(key_id for key_id, count in listed.items() if count > 1),
            has_right_clock=self.has_right_clock,
            mode=bounds.mode,
        )
        if self.run.has_right_clock:
            resolved = {
                (key.id, rule)
                for project, key in self.stage.organization.project_keys()
                for rule in AFTER
                if key.id not in self.run.ambiguous and not self.violates(rule, project, key)
            }
            self.notices = [
                notice
                for notice in self.notices
                if notice.name != self.run.name or (notice.key_id, notice.rule) not in resolved
            ]
        return self.run

    def note_delivery(self, delivery: Delivery) -> None:
        assert self.run
        if self.run.has_right_clock:
            self.notices.extend(
                Notice(self.run.name, item.key_id, item.rule, self.now)
                for item in delivery.draft.announcement.items
                if " will " in f" {item.revocation} "
            )

    def note_refusal(self) -> None:
        assert self.run
        self.run.refusals += 1

    def note_change(self) -> None:
        """Record a change that the API made, also if the response was an error."""
        made = self.stage.written()
        if len(made) > len(self.changed):
            self.changed.append((made[-1][1], self.now))

    def judge(self, method: str, path: str, body: Any) -> None:
        *_, project_id, _, key_id = path.split("/")
        project = self.stage.organization.projects[project_id]
        key = project.keys.get(key_id)
        reasons = ["it is gone"] if key is None else [*self._reasons(method, body, project, key)]
        if reasons:
            self.wrongs.append(f"{method} of {key_id}: {', '.join(reasons)}")

    def _reasons(
        self, method: str, body: Any, project: SandboxProject, key: ProjectKey
    ) -> Iterator[str]:
        rules = _rules(method, body)
        if not rules:
            yield f"no rule requests {body}"
        yield from self._of_run(key)
        yield from _protection(self._listed_owner(project, key), project, key)
        if self.now - key.created_at < 7 * DAY - SLACK:
            yield "it is young"
        if key.last_used_at is not None and self.now - key.last_used_at < DAY - SLACK:
            yield "it is in use"
        works_for = float("inf") if key.expires_at is None else key.expires_at - self.now
        if method == "POST" and works_for <= (7 * DAY - SLACK if "old" in rules else 0):
            yield "it expires by itself"
        if not any(self.violates(rule, project, key) for rule in rules):
            yield "it violates no rule"
        elif not any(
            self.violates(rule, project, key) and self._was_announced(rule, key) for rule in rules
        ):
            yield "its grace period is not over"

    def _of_run(self, key: ProjectKey) -> Iterator[str]:
        run = self.run
        assert run
        today = sum(at > self.now - DAY + 2 * SLACK for _, at in self.changed)
        if run.mode is not Mode.ENFORCE:
            yield "the mode is not enforce"
        if not self.has_right_clock:
            yield f"the clock is {self.stage.ahead} ahead"
        if "key" in self.stage.api.undated:
            yield "the time cannot be verified"
        if key.id in run.ambiguous:
            yield "two projects list it"
        if run.refusals >= 3:
            yield f"the API refused {run.refusals} requests of this run"
        if any(key_id == key.id for key_id, _ in self.changed):
            yield "it was changed before"
        if today >= run.most:
            yield f"{today} were changed within 24 hours, and {run.most} may be"

    def violates(self, rule: str, project: SandboxProject, key: ProjectKey) -> bool:
        age = self.now - key.created_at + SLACK
        match rule:
            case "old":
                return age > 90 * DAY and key.id != self.excepted
            case "unused":
                return age > 30 * DAY and key.last_used_at is None
            case "left":
                is_member = key.owner.id in self.stage.organization.members
                return isinstance(key.owner, Member) and not is_member
            case _:
                return isinstance(key.owner, Account) and key.owner.id not in project.accounts

    def _was_announced(self, rule: str, key: ProjectKey) -> bool:
        assert self.run
        until = self.now - AFTER[rule] * DAY + 2 * SLACK
        wanted = self.run.name, key.id, rule
        return any((n.name, n.key_id, n.rule) == wanted and n.at <= until for n in self.notices)

    def _listed_owner(self, project: SandboxProject, key: ProjectKey) -> Member | Account | None:
        if isinstance(key.owner, Account):
            return project.accounts.get(key.owner.id)
        return self.stage.organization.members.get(key.owner.id)


def _rules(method: str, body: Any) -> tuple[str, ...]:
    """Return the rules that can request such a change."""
    if method == "DELETE":
        return ("left", "orphan")
    if body == {"expires_in_seconds": 7 * DAY}:
        return ("old",)
    return ("unused",) if body == {"scopes": ["api.all.read"]} else ()


def _protection(
    listed: Member | Account | None, project: SandboxProject, key: ProjectKey
) -> Iterator[str]:
    """Yield what is, or may be, protected: by its current names, all of them."""
    owners = [owner for owner in (key.owner, listed) if owner]
    names = _known([owner.name for owner in owners])
    addresses = _known([owner.email for owner in owners if isinstance(owner, Member)])
    if not _known([key.name]) or key.name.casefold().startswith("keep"):
        yield "it is protected"
    if not _known([project.name]) or project.name.casefold().endswith("-prod"):
        yield "its project is protected"
    if not names or any(name.startswith("vip ") for name in names):
        yield "its owner is protected"
    if isinstance(key.owner, Member) and not addresses:
        yield "its owner may be protected"
    if any(address.endswith("@vip.example.com") for address in addresses):
        yield "its owner's address is protected"


def _known(names: list[Any]) -> list[str]:
    return [name.casefold() for name in names if isinstance(name, str) and name]
