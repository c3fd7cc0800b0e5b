"""Values of a revocation: methods, modes, limits, notices, actions and plans."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scanner.severity import Severity


class Method(StrEnum):
    """Revocation methods, the mildest first."""

    EXPIRE = "expire"
    RESTRICT = "restrict"
    DELETE = "delete"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return tuple(Method).index(self)

    @property
    def words(self) -> str:
        """The past participle for messages: `set to expire`."""
        return _WORDS[self]


_WORDS: Final = {
    Method.EXPIRE: "set to expire",
    Method.RESTRICT: "restricted to read-only access",
    Method.DELETE: "deleted",
}
READ_ONLY: Final = ("api.all.read",)
"""The scopes of a key after RESTRICT. An empty list would allow everything."""


class Mode(StrEnum):
    """Whether scans plan revocations, and whether they apply the plan."""

    OFF = "off"
    PLAN = "plan"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of revocation; the defaults allow very little.

    At most `max_keys` and `max_percent` of all keys within 24 hours: both apply, 0 allows none.
    `protected_*` are globs of ids and names. Keys younger than `min_age` or used within
    `recent_use` are skipped. `expire_in` is how long an expiring key still works. Admin keys are
    skipped except the ids in `admin_keys`. No key is changed while `stop_file`, if set, exists.
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
    """The content of a notice: method and times; `definition` is that of the rule.

    `mode` PLAN: the key is revoked only if an authorised person applies the plan.
    """

    mode: Mode
    method: Method
    after: timedelta
    expire_in: timedelta
    definition: str

    def covers(self, now: "Promise") -> bool:
        """Whether this notice announced at least what `now` would do."""
        return (
            (self.mode is Mode.ENFORCE or now.mode is not Mode.ENFORCE)
            and now.method.rank <= self.method.rank
            and now.expire_in >= self.expire_in
            and now.definition == self.definition
        )


class Told(NamedTuple):
    """A delivered notice: first delivery, last delivery, and content."""

    at: datetime
    last_at: datetime
    promise: Promise


class Action(NamedTuple):
    """One key to revoke at `due_at`, and why; `checked` are the guards that it passed.

    `announced_at` is the first delivery of the notice. `owner` is the name to show; `owners` are
    all known names of the owner. `expire_in` is how long the key then still works.
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


UNTOLD: Final = "The notice of the revocation is not delivered yet"


class Held(NamedTuple):
    """One key that is skipped although a rule requests its revocation, with every reason.

    `promise` is the content of the notice, to deliver if it is the only thing missing.
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
        """Whether the notice is the only thing missing."""
        return self.reasons == (UNTOLD,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The keys that one scan found `due` now, `waiting` for their date, or skipped (`held`).

    `refusal` is how the limit is exceeded, so that no key is due; or "". `policies` and
    `inventory` are digests of the data that the plan was made from.
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
"""An empty plan."""
