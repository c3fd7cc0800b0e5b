"""What revoking a key is made of: how, within which bounds, and what a plan of it says."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.severity import Severity


class Method(StrEnum):
    """How a key is revoked, the mildest first."""

    EXPIRE = "expire"
    RESTRICT = "restrict"
    DELETE = "delete"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return tuple(Method).index(self)

    @property
    def words(self) -> str:
        """Spell what is done to a key: `given an end`."""
        return _WORDS[self]


_WORDS: Final = {
    Method.EXPIRE: "given an end",
    Method.RESTRICT: "restricted to reading",
    Method.DELETE: "deleted",
}
READ_ONLY: Final = ("api.all.read",)
"""What RESTRICT leaves a key. An empty list would give it everything."""


class Mode(StrEnum):
    """How far revocation goes: not at all, to a plan, or to carrying it out."""

    OFF = "off"
    PLAN = "plan"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What keeps revocation within bounds; as it comes, next to nothing is allowed.

    At most `max_keys` and `max_percent` of all keys within a day: both must hold, 0 is none.
    `protected_*` are globs of ids and names. Keys younger than `min_age` or used within
    `recent_use` are let be. `expire_in` is how long an expiring key still works. Admin keys are
    let be but for the ids in `admin_keys`. Nothing is done while there is a `stop_file`, if
    one is named.
    """

    mode: Mode = Mode.OFF
    max_keys: int = 5
    max_percent: float = 1.0
    protected_keys: tuple[str, ...] = ()
    protected_projects: tuple[str, ...] = ()
    protected_owners: tuple[str, ...] = ()
    admin_keys: frozenset[str] = frozenset()
    min_age: timedelta = timedelta(days=7)
    recent_use: timedelta = timedelta(hours=24)
    expire_in: timedelta = timedelta(days=7)
    stop_file: str = ""


class Promise(NamedTuple):
    """What people were told is to become of a key; `definition` is that of the rule.

    `mode` PLAN: it may be, if somebody says so.
    """

    mode: Mode
    method: Method
    after: timedelta
    expire_in: timedelta
    definition: str

    def covers(self, now: "Promise") -> bool:
        """Tell whether nobody who was told this would be surprised by that."""
        return (
            (self.mode is Mode.ENFORCE or now.mode is not Mode.ENFORCE)
            and now.method.rank <= self.method.rank
            and now.expire_in >= self.expire_in
            and now.definition == self.definition
        )


class Told(NamedTuple):
    """When people were first told what is to become of a key, when last, and what."""

    at: datetime
    last_at: datetime
    promise: Promise


class Action(NamedTuple):
    """One key that is to be revoked at `due_at`, and why; `checked` is what was found in order.

    `announced_at` is when people were first told of it. `owner` is for people; `owners` are all
    the names by which the owner goes. `expire_in` is how long it then still works.
    """

    key_id: str
    key_name: str
    redacted_value: str
    project_id: str
    project: str
    owner: str
    owner_email: str
    owners: tuple[str, ...]
    method: Method
    expire_in: timedelta
    due_at: datetime
    announced_at: datetime
    rule: str
    severity: Severity
    fingerprint: str
    evidence: str
    checked: tuple[str, ...]


UNTOLD: Final = "nobody was told yet that it will be revoked"


class Held(NamedTuple):
    """One key that a rule would have revoked, and every reason why it is not.

    `promise` is what people have to be told, if that is all it takes.
    """

    key_id: str
    key_name: str
    project: str
    owner: str
    method: Method
    rule: str
    fingerprint: str
    promise: Promise
    reasons: tuple[str, ...]

    @property
    def is_to_be_told(self) -> bool:
        """Whether all that it takes is to tell people."""
        return self.reasons == (UNTOLD,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be revoked of what one scan found: `due` now, `waiting` later, `held` back.

    `refusal` says why nothing is due although something would be: there were more than the bounds
    allow. `policies` and `inventory` are digests of what it rests on.
    """

    scan_id: str
    organization: str
    made_at: datetime
    expires_at: datetime
    policies: str
    inventory: str
    due: tuple[Action, ...] = ()
    waiting: tuple[Action, ...] = ()
    held: tuple[Held, ...] = ()
    refusal: str = ""


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
NOTHING: Final = Plan(
    scan_id="", organization="", made_at=_NEVER, expires_at=_NEVER, policies="", inventory=""
)
"""The plan of where nothing is planned."""
