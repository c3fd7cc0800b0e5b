"""Processes that end, or sleep, between two steps of a revocation."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from scanner.enforce import Hands
from scanner.ports import Journal, Look, Revoker
from scanner.receipt import Act, Intent, Outcome

Objection = Callable[[tuple[Act, ...]], str]


class Killed(BaseException):
    """The process ends here, as by a signal that nobody can catch."""


@dataclass(kw_only=True)
class Mortal:
    """Hands whose process is killed at the n-th step between looking, noting and changing."""

    hands: Hands
    at: int
    steps: int = 0

    def made(self) -> Hands:
        revoker: Revoker = _MortalRevoker(self, self.hands.revoker)
        journal: Journal = _MortalJournal(self, self.hands.journal)
        return replace(self.hands, revoker=revoker, journal=journal)

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed


@dataclass
class _MortalRevoker:
    mortal: Mortal
    revoker: Revoker

    def look(self, key_id: str, project_id: str | None, *, whole: bool = True) -> Look:
        self.mortal.step()
        return self.revoker.look(key_id, project_id, whole=whole)

    def change(self, intent: Intent) -> str:
        self.mortal.step()
        request_id = self.revoker.change(intent)
        self.mortal.step()
        return request_id

    def scopes_given(self, key_id: str, since: datetime) -> tuple[str, ...] | None:
        self.mortal.step()
        return self.revoker.scopes_given(key_id, since)


@dataclass
class _MortalJournal:
    mortal: Mortal
    journal: Journal

    def acts(self) -> tuple[Act, ...]:
        return self.journal.acts()

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        return self.journal.acts_elsewhere(ids)

    def begin(self, intent: Intent, ids: frozenset[str], objection: Objection) -> str:
        self.mortal.step()
        reason = self.journal.begin(intent, ids, objection)
        self.mortal.step()
        return reason

    def end(self, outcome: Outcome) -> None:
        self.mortal.step()
        self.journal.end(outcome)
        self.mortal.step()


@dataclass
class Sleepy:
    """A journal after whose note of an intent the process sleeps."""

    sleep: Callable[[], None]
    journal: Journal

    def acts(self) -> tuple[Act, ...]:
        return self.journal.acts()

    def acts_elsewhere(self, ids: frozenset[str]) -> tuple[Act, ...]:
        return self.journal.acts_elsewhere(ids)

    def begin(self, intent: Intent, ids: frozenset[str], objection: Objection) -> str:
        reason = self.journal.begin(intent, ids, objection)
        self.sleep()
        return reason

    def end(self, outcome: Outcome) -> None:
        self.journal.end(outcome)
