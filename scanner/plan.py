"""The collection plan: the collections that the rules need, and more only on request. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scanner.collection import OPTIONAL, Collection
from scanner.inventory import (
    Coverage,
    CoverageState,
    Inventory,
    Key,
    OwnerKind,
    Project,
    ProjectAccess,
    ProjectState,
)
from scanner.policy.model import Policy

_EVERY_SCAN: Final = (Collection.PROJECTS, Collection.PROJECT_KEYS, Collection.ADMIN_KEYS)
_OF_PROJECTS: Final = (Collection.PROJECT_KEYS, Collection.SERVICE_ACCOUNTS)
_RULES_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Whether a collection is requested, with the reason."""

    collection: Collection
    is_asked: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step for each collection.

    `every_account`: list the service accounts of every project, even if its keys prove that their
    owners exist.
    """

    steps: tuple[Step, ...]
    every_account: bool = False

    def asks_for(self, collection: Collection) -> bool:
        """Whether a scan requests this collection."""
        return any(step.is_asked for step in self.steps if step.collection is collection)


def make_plan(
    policies: Sequence[Policy] = (),
    *,
    everything: bool = False,
    for_later: bool = False,
    skip: Iterable[Collection] = (),
) -> Plan:
    """Return the collection plan for these policies, without the collections in `skip`.

    `for_later`: other rules may be evaluated on the snapshot, so only optional data is omitted.
    """
    switched_off = frozenset(skip)
    steps = (
        Step(collection=collection, is_asked=False, reason="skipped in the settings")
        if collection in switched_off
        else _step(collection, policies, everything=everything, for_later=for_later)
        for collection in Collection
    )
    return Plan(steps=tuple(steps), every_account=everything)


def with_gaps(inventory: Inventory, plan: Plan) -> Inventory:
    """Return a recorded inventory with a gap for each missing listing that the plan needs."""
    listed = {(row.collection, row.project_id) for row in inventory.coverage}
    gaps = (
        Coverage(
            collection=collection,
            project_id=project_id,
            endpoint="snapshot",
            pages=0,
            items=0,
            state=CoverageState.UNAVAILABLE,
            reason="the recorded scan did not collect this; scan again with these policies,"
            " or with --collect all",
        )
        for collection, project_id in _needed(inventory, plan)
        if (collection, project_id) not in listed
    )
    return replace(inventory, coverage=(*inventory.coverage, *gaps))


def needs_accounts(plan: Plan, project: Project, keys: Iterable[Key]) -> bool:
    """Whether a project's service accounts are needed to check that its key owners exist.

    A key whose owner has access proves that the owner exists. The API returns 400 for the service
    accounts of an archived project, so they are never listed.
    """
    if project.state is ProjectState.ARCHIVED:
        return False
    if plan.every_account:
        return True
    return plan.asks_for(Collection.SERVICE_ACCOUNTS) and any(
        key.owner.kind is not OwnerKind.USER and key.project_access is not ProjectAccess.ACTIVE
        for key in keys
    )


def _needed(inventory: Inventory, plan: Plan) -> Iterator[tuple[Collection, str | None]]:
    """Yield each listing that the plan needs, with the project id or None."""
    keys: defaultdict[str | None, list[Key]] = defaultdict(list)
    for key in inventory.keys:
        keys[key.project_id].append(key)
    for step in plan.steps:
        if step.is_asked and step.collection not in _OF_PROJECTS:
            yield step.collection, None
    for project in inventory.projects:
        if plan.asks_for(Collection.PROJECT_KEYS):
            yield Collection.PROJECT_KEYS, project.id
        if needs_accounts(plan, project, keys[project.id]):
            yield Collection.SERVICE_ACCOUNTS, project.id


def _step(
    collection: Collection, policies: Sequence[Policy], *, everything: bool, for_later: bool
) -> Step:
    rules = [
        rule.text.id
        for policy in policies
        for rule in policy.rules
        if collection in rule.needs or (rule.respond and collection in rule.respond.needs)
    ]
    if any(collection in e.when.needs for policy in policies for e in policy.exemptions):
        rules.append("an exception")
    if collection in _EVERY_SCAN:
        reason = "every scan lists them"
    elif rules:
        more = f" and {len(rules) - _RULES_NAMED} more" if len(rules) > _RULES_NAMED else ""
        reason = f"for {', '.join(rules[:_RULES_NAMED])}{more}"
        if collection is Collection.SERVICE_ACCOUNTS and not everything:
            reason = f"only in projects whose keys do not prove their owners; {reason}"
    elif everything:
        reason = "all collections were requested"
    elif for_later and collection not in OPTIONAL:
        reason = "for the snapshot"
    else:
        return Step(collection=collection, is_asked=False, reason="no rule needs it")
    return Step(collection=collection, is_asked=True, reason=reason)
