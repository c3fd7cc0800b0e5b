"""Steps between reading, recording and changing, at which a process can end, sleep or wait."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from scanner.enforce import Hands
from scanner.ports import Journal, Look, Revoker
from scanner.receipt import Act, Intent, Outcome

Objection = Callable[[tuple[Act, ...]], str]
Step = Callable[[str], None]
"""Called with `look`, `scopes`, `begin`, `change` or `end` before each, and `... done` after."""


class Killed(BaseException):
    """The process ends here, as after SIGKILL."""


@dataclass
class Mortal:
    """Ends the process at the n-th step; 0: never."""

    at: int
    steps: int = field(default=0, init=False)

    def __call__(self, _name: str) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed


def stepping(hands: Hands, step: Step) -> Hands:
    """Return hands that call `step` between all that they do."""
    revoker: Revoker = _SteppingRevoker(step, hands.revoker)
    journal: Journal = _SteppingJournal(step, hands.journal)
    return replace(hands, revoker=revoker, journal=journal)


@dataclass
class _SteppingRevoker:
    step: Step
    revoker: Revoker

    def look(self, key_id: str, project_id: str | None, *, whole: bool = True) -> Look:
        self.step("look")
        return self.revoker.look(key_id, project_id, whole=whole)

    def change(self, intent: Intent) -> str:
        self.step("change")
        request_id = self.revoker.change(intent)
        self.step("change done")
        return request_id

    def scopes_given(self, key_id: str, since: datetime) -> tuple[str, ...] | None:
        self.step("scopes")
        return self.revoker.scopes_given(key_id, since)


@dataclass
class _SteppingJournal:
    step: Step
    journal: Journal

    def acts(self) -> tuple[Act, ...]:
        return self.journal.acts()

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        return self.journal.acts_elsewhere(ids)

    def begin(self, intent: Intent, ids: frozenset[str], objection: Objection) -> str:
        self.step("begin")
        reason = self.journal.begin(intent, ids, objection)
        self.step("begin done")
        return reason

    def end(self, outcome: Outcome) -> None:
        self.step("end")
        self.journal.end(outcome)
        self.step("end done")
