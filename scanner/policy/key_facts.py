"""The facts about a key itself: its name, age and expiry."""

from scanner.inventory import KeyKind, KeyState, Unknown, text_of
from scanner.policy.registry import FactType, Value, fact
from scanner.policy.subject import Subject


@fact("key.id", FactType.TEXT, meaning="The key's id.", source="key.id")
def _key_id(subject: Subject) -> Value:
    return subject.key.id


@fact(
    "key.kind",
    KeyKind,
    meaning="Whether it is a project key or an admin key.",
    source="the listing",
    words={"project": "project key", "admin": "admin key"},
)
def _key_kind(subject: Subject) -> Value:
    return subject.key.kind


@fact(
    "key.state",
    KeyState,
    meaning="Whether the key can be used. Rules apply to live keys unless they name this fact.",
    source="key.expires_at",
    words="key is {}",
)
def _key_state(subject: Subject) -> Value:
    return subject.key.state(subject.now)


@fact(
    "key.name",
    FactType.TEXT,
    meaning="The key's name.",
    source="key.name",
    words="key's name is {}",
)
def _key_name(subject: Subject) -> Value:
    return text_of(subject.key, "name")


@fact(
    "age",
    FactType.DURATION,
    meaning="Time since creation.",
    source="key.created_at",
    words="{} old",
)
def _age(subject: Subject) -> Value:
    return subject.since(subject.key.created_at)


@fact(
    "expires",
    FactType.BOOLEAN,
    meaning="Whether the key has an expiry.",
    source="key.expires_at",
    words={"yes": "expires", "no": "never expires"},
)
def _expires(subject: Subject) -> Value:
    expires_at = subject.key.expires_at
    return expires_at if isinstance(expires_at, Unknown) else expires_at is not None


@fact(
    "expires_in",
    FactType.DURATION,
    meaning="Time until the key expires; negative after expiry; absent if it never expires.",
    source="key.expires_at",
    words="expires in {}",
)
def _expires_in(subject: Subject) -> Value:
    expires_at = subject.key.expires_at
    if expires_at is None or isinstance(expires_at, Unknown):
        return expires_at
    return expires_at - subject.now


@fact(
    "expired_for",
    FactType.DURATION,
    meaning="Time since the key expired; absent if it has not expired.",
    source="key.expires_at",
    words="expired for {}",
)
def _expired_for(subject: Subject) -> Value:
    state, expires_at = subject.key.state(subject.now), subject.key.expires_at
    if isinstance(expires_at, Unknown):
        return expires_at
    if expires_at is None or state is not KeyState.EXPIRED:
        return None
    return subject.now - expires_at


@fact(
    "lifetime",
    FactType.DURATION,
    meaning="Time from creation to expiry; absent if the key never expires.",
    source="key.created_at, key.expires_at",
    words="lifetime of {}",
)
def _lifetime(subject: Subject) -> Value:
    created_at, expires_at = subject.key.created_at, subject.key.expires_at
    if expires_at is None or isinstance(expires_at, Unknown):
        return expires_at
    return created_at if isinstance(created_at, Unknown) else expires_at - created_at
