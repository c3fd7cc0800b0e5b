"""Every fact of the policy language: one function each, in one registry."""

from typing import Final

import scanner.policy.activity_facts
import scanner.policy.key_facts  # noqa: F401 - registers its facts
from scanner.collection import Collection
from scanner.finding import OwnerState
from scanner.inventory import OwnerKind, ProjectState, Unknown, text_of
from scanner.policy.registry import FACTS, FactType, Value, fact
from scanner.policy.subject import Subject

__all__ = ["FACTS"]

_PROJECT_KEYS: Final = Collection.PROJECT_KEYS  # used for every key: enum attributes are slow


def _told(value: str | Unknown | None, what: str) -> str | Unknown:
    return value or Unknown(reason=f"the API did not return {what}")


def _no_project(subject: Subject) -> Value:
    """Return the fact of a key without a project: absent if the key certainly has none."""
    return subject.key.kind if isinstance(subject.key.kind, Unknown) else None


def _count(collected: int, why_unseen: str | None) -> Value:
    """Return a count; Unknown with the collected part if there may be more."""
    return Unknown(reason=why_unseen, at_least=collected or None) if why_unseen else collected


def _why_more(subject: Subject, project_id: str | None) -> str | None:
    """Return why an owner may have more keys in a project; `project_id` None: in all projects."""
    is_open = subject.directory.keys_of_unknown_owner[project_id]
    return "the owner of other keys is unknown" if is_open else None


@fact(
    "owner.kind",
    OwnerKind,
    meaning="Whether the owner is a person or a service account.",
    source="key.owner.type",
    words={"user": "owned by a person", "service_account": "owned by a service account"},
)
def _owner_kind(subject: Subject) -> Value:
    return subject.key.owner.kind


@fact(
    "owner.state",
    OwnerState,
    meaning="The owner's current state: the most serious one that is certain.",
    source="users, service accounts, key.owner_project_access",
    needs=(Collection.USERS, Collection.SERVICE_ACCOUNTS),
    words={
        "active": "owner is active",
        "disabled": "owner is disabled",
        "left_org": "owner left the organization",
        "no_project_access": "owner has no access to the project",
        "service_account_missing": "service account is deleted",
    },
)
def _owner_state(subject: Subject) -> Value:
    return subject.owner_state


@fact("owner.id", FactType.TEXT, meaning="The owner's id.", source="key.owner")
def _owner_id(subject: Subject) -> Value:
    return subject.key.owner.id


@fact(
    "owner.email",
    FactType.TEXT,
    meaning="The owner's address; absent for service accounts.",
    source="key.owner.user.email, users",
    needs=(Collection.USERS,),
    words="owner's address is {}",
)
def _owner_email(subject: Subject) -> Value:
    if subject.key.owner.kind is OwnerKind.SERVICE_ACCOUNT:
        return None
    if subject.owner_email is not None:
        return subject.owner_email
    return _told(text_of(subject.key.owner, "email"), "the owner's address")


@fact(
    "owner.name",
    FactType.TEXT,
    meaning="The owner's name.",
    source="key.owner",
    words="owner's name is {}",
)
def _owner_name(subject: Subject) -> Value:
    return _told(text_of(subject.key.owner, "name"), "the owner's name")


@fact(
    "owner.project_role",
    FactType.TEXT,
    meaning="The owner's role in the project: owner, member or none; absent for admin keys.",
    source="key.owner.role",
    words="owner's role in the project is {}",
)
def _owner_project_role(subject: Subject) -> Value:
    if subject.project is None:
        return _no_project(subject)
    return _told(text_of(subject.key.owner, "role"), "the owner's role in the project")


@fact(
    "owner.org_role",
    FactType.TEXT,
    meaning="A person's role in the organization: owner or reader; absent once they left.",
    source="users.role",
    needs=(Collection.USERS,),
    words="owner's role in the organization is {}",
)
def _owner_org_role(subject: Subject) -> Value:
    if subject.user is not None:
        return _told(text_of(subject.user, "role"), "the owner's role in the organization")
    if subject.key.owner.kind is OwnerKind.SERVICE_ACCOUNT:
        return None
    state = subject.owner_state
    return Unknown(reason=state.reason) if isinstance(state, Unknown) else None


@fact(
    "owner.keys",
    FactType.NUMBER,
    meaning="The number of live keys of this owner in the whole organization.",
    source="all keys",
    words="owner has {} keys",
)
def _owner_keys(subject: Subject) -> Value:
    if isinstance(subject.key.owner.id, Unknown):
        return subject.key.owner.id
    directory = subject.directory
    collected = directory.keys_of_owner[subject.key.owner.id]
    return _count(collected, directory.why_keys_unseen or _why_more(subject, None))


@fact(
    "owner.project_keys",
    FactType.NUMBER,
    meaning="The number of live keys of this owner in the key's project; absent for admin keys.",
    source="the project's keys",
    words="owner has {} keys in the project",
)
def _owner_project_keys(subject: Subject) -> Value:
    if subject.project is None:
        return _no_project(subject)
    owner_id = subject.key.owner.id
    if isinstance(owner_id, Unknown):
        return owner_id
    directory, project_id = subject.directory, subject.project.id
    collected = directory.keys_of_member[project_id, owner_id]
    unseen = directory.why_unseen(_PROJECT_KEYS, project_id)
    return _count(collected, unseen or _why_more(subject, project_id))


@fact(
    "project.id",
    FactType.TEXT,
    meaning="The id of the key's project; absent for admin keys.",
    source="the listing",
)
def _project_id(subject: Subject) -> Value:
    return _no_project(subject) if subject.project is None else subject.project.id


@fact(
    "project.name",
    FactType.TEXT,
    meaning="The name of the key's project; absent for admin keys.",
    source="projects.name",
    words="project's name is {}",
)
def _project_name(subject: Subject) -> Value:
    if subject.project is None:
        return _no_project(subject)
    return _told(text_of(subject.project, "name"), "the project's name")


@fact(
    "project.state",
    ProjectState,
    meaning="Whether the key's project is active or archived; absent for admin keys.",
    source="projects.status",
    words="project is {}",
)
def _project_state(subject: Subject) -> Value:
    return _no_project(subject) if subject.project is None else subject.project.state


@fact(
    "project.age",
    FactType.DURATION,
    meaning="Time since the project was created; absent for admin keys.",
    source="projects.created_at",
    words="project is {} old",
)
def _project_age(subject: Subject) -> Value:
    if subject.project is None:
        return _no_project(subject)
    return subject.since(subject.project.created_at)


@fact(
    "project.keys",
    FactType.NUMBER,
    meaning="The number of live keys in the key's project; absent for admin keys.",
    source="the project's keys",
    words="project has {} keys",
)
def _project_keys(subject: Subject) -> Value:
    if subject.project is None:
        return _no_project(subject)
    directory, project_id = subject.directory, subject.project.id
    collected = directory.keys_of_project[project_id]
    return _count(collected, directory.why_unseen(_PROJECT_KEYS, project_id))
