"""The facts about a key's activity: its use, its cost, and its events in the audit log."""

from datetime import datetime, timedelta
from decimal import Decimal

from scanner.collection import Collection
from scanner.finding import OwnerState
from scanner.inventory import AuditEvent, AuditKind, OwnerKind, Unknown
from scanner.plausible import not_before
from scanner.policy.registry import FactType, Value, fact
from scanner.policy.subject import Subject

_ALL_SCOPES = "all"


def _by(subject: Subject) -> str:
    return subject.who_tells_last_use if subject.directory.knows_usage else ""


@fact(
    "idle",
    FactType.DURATION,
    meaning="Time since the last recorded use; since creation if there is none.",
    source="key.last_used_at, key.created_at; usage if it was collected and is newer",
    note=_by,
    words="not used for {}",
)
def _idle(subject: Subject) -> Value:
    used_at, told = subject.last_use, subject.key.last_used_at
    if isinstance(told, Unknown) and not subject.directory.knows_usage:
        return told  # usage that was not collected may be newer
    if isinstance(used_at, Unknown):
        return used_at
    return subject.since(used_at or subject.key.created_at)


@fact(
    "used",
    FactType.BOOLEAN,
    meaning="Whether any use is recorded.",
    source="key.last_used_at; usage if it was collected",
    note=_by,
    words={"yes": "was used", "no": "never used"},
)
def _used(subject: Subject) -> Value:
    used_at = subject.last_use
    return used_at if isinstance(used_at, Unknown) else used_at is not None


@fact(
    "used_since_owner_left",
    FactType.BOOLEAN,
    meaning="Whether a use is recorded after the owner left the organization; absent if the owner"
    " did not leave.",
    source="key.last_used_at, usage; user.deleted of the audit log, scans since the owner left",
    needs=(Collection.USERS, Collection.SERVICE_ACCOUNTS),
    words={"yes": "used after its owner left", "no": "no use recorded after its owner left"},
)
def _used_since_owner_left(subject: Subject) -> Value:
    if subject.owner_state is not OwnerState.LEFT_ORG:
        state = subject.owner_state
        return Unknown(reason=state.reason) if isinstance(state, Unknown) else None
    left_at = subject.directory.left_at(subject.key)
    if left_at is None:
        return Unknown(reason="the time when the owner left is not known")
    told, use = subject.key.last_used_at, subject.directory.uses.get(subject.key.id)
    if (isinstance(told, datetime) and told > left_at) or (use and use.last_day >= left_at):
        return True
    if isinstance(subject.last_use, Unknown):
        return subject.last_use
    if subject.last_use and subject.last_use > left_at:
        return Unknown(
            reason="usage is reported per day, and the owner left on the last day of use"
        )
    return False


@fact(
    "usage.requests",
    FactType.NUMBER,
    meaning="Requests and tool calls of the last 30 days.",
    source="usage by api_key_id",
    needs=(Collection.USAGE,),
    words="{} requests in 30 days",
)
def _usage_requests(subject: Subject) -> Value:
    use = subject.directory.uses.get(subject.key.id)
    return _sum_of(subject, Collection.USAGE, use.requests if use else 0)


@fact(
    "usage.cost_usd",
    FactType.NUMBER,
    meaning="Cost of the last 30 days in US dollars.",
    source="costs by api_key_id",
    needs=(Collection.COSTS,),
    decimals=True,
    words="{} US dollars in 30 days",
)
def _usage_cost(subject: Subject) -> Value:
    usd = subject.directory.costs.get(subject.key.id, Decimal(0))
    return _sum_of(subject, Collection.COSTS, usd)


def _sum_of(subject: Subject, collection: Collection, collected: Value) -> Value:
    """Return a sum; Unknown with the collected part if there may be more."""
    reason = subject.directory.why_activity_unseen(collection)
    if reason is None or isinstance(collected, Unknown):
        return collected
    part = collected if isinstance(collected, int | Decimal) and collected > 0 else None
    return Unknown(reason=reason, at_least=part)


@fact(
    "created_by",
    FactType.TEXT,
    meaning="The creator of the key: an e-mail address, or the id of a service account.",
    source="audit log, api_key.created",
    needs=(Collection.AUDIT_LOGS,),
    words="created by {}",
)
def _created_by(subject: Subject) -> Value:
    return _actor(_creation(subject, subject.key.id, AuditKind.KEY_CREATED))


@fact(
    "scopes",
    FactType.TEXT,
    meaning="The key's permissions, sorted, separated by blanks; `all` if it is not restricted.",
    source="audit log, api_key.created and api_key.updated",
    needs=(Collection.AUDIT_LOGS,),
    words="scopes are {}",
)
def _scopes(subject: Subject) -> Value:
    creation = _creation(subject, subject.key.id, AuditKind.KEY_CREATED)
    if isinstance(creation, Unknown):
        return creation
    told = [e.scopes for e in subject.directory.events[subject.key.id] if e.scopes is not None]
    if not told:
        return Unknown(reason="the audit log does not contain the key's scopes")
    newest = told[-1]
    if isinstance(newest, Unknown):
        return newest
    return " ".join(sorted(newest)) or _ALL_SCOPES


@fact(
    "unchanged",
    FactType.DURATION,
    meaning="Time since the key's scopes or expiry were last changed, or since it was created.",
    source="audit log, api_key.created and api_key.updated",
    needs=(Collection.AUDIT_LOGS,),
    words="unchanged for {}",
)
def _unchanged(subject: Subject) -> Value:
    creation = _creation(subject, subject.key.id, AuditKind.KEY_CREATED)
    events = subject.directory.events.get(subject.key.id)
    if events and events[-1].kind is AuditKind.KEY_UPDATED:
        return _since(subject, events[-1])
    return creation if isinstance(creation, Unknown) else _since(subject, creation)


@fact(
    "owner.created_by",
    FactType.TEXT,
    meaning="The creator of the service account that owns the key; absent for people.",
    source="audit log, service_account.created",
    needs=(Collection.AUDIT_LOGS,),
    words="service account created by {}",
)
def _owner_created_by(subject: Subject) -> Value:
    owner = subject.key.owner
    if owner.kind is OwnerKind.USER:
        return None
    if isinstance(owner.kind, Unknown):
        return owner.kind
    if isinstance(owner.id, Unknown):
        return owner.id
    return _actor(_creation(subject, owner.id, AuditKind.ACCOUNT_CREATED))


def _since(subject: Subject, event: AuditEvent) -> timedelta | Unknown:
    """Return the time since an event of the key."""
    at = event.at
    if isinstance(at, datetime):
        at = not_before(at, subject.key, f"effective_at of {event.kind.value}")
    return subject.since(at)


def _creation(subject: Subject, of: str, kind: AuditKind) -> AuditEvent | Unknown:
    """Return the creation event of a key or an account; Unknown if the log does not contain it."""
    reason = subject.directory.why_activity_unseen(Collection.AUDIT_LOGS)
    if reason is not None:
        return Unknown(reason=reason)
    for event in subject.directory.events.get(of, ()):
        if event.kind is kind:
            return event
    return Unknown(reason="the audit log does not contain its creation")


def _actor(event: AuditEvent | Unknown) -> Value:
    if isinstance(event, Unknown):
        return event
    return event.actor or Unknown(reason="the audit log does not name the actor")
