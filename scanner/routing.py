"""Which findings match a route, by its severity and its globs. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from scanner.announcement import Route
from scanner.finding import Finding
from scanner.inventory import Unknown
from scanner.lifecycle import Case
from scanner.receipt import Intent


def passes_case(case: Case, route: Route) -> bool:
    """Whether a finding record matches the route's globs; its severity is not compared."""
    return (
        _fits(route.rules, case.rule)
        and _fits(route.projects, case.project_name, case.project_id)
        and _fits_anyhow(route.owners, case.owner_email, case.owner_name, case.owner_id)
    )


def passes_finding(finding: Finding, route: Route) -> bool:
    """Whether a violation matches the route."""
    key, project = finding.key, finding.project
    owner_id = None if isinstance(key.owner.id, Unknown) else key.owner.id
    return (
        finding.severity.rank <= route.severity.rank
        and _fits(route.rules, finding.rule.id)
        and _fits(route.projects, project.name if project else None, key.project_id)
        and _fits_anyhow(route.owners, finding.owner_email, key.owner.name, owner_id)
    )


def passes_intent(intent: Intent, route: Route) -> bool:
    """Whether an action on a key matches the route."""
    return (
        intent.severity.rank <= route.severity.rank
        and _fits(route.rules, intent.rule)
        and _fits(route.projects, intent.project, intent.project_id)
        and _fits_anyhow(route.owners, intent.owner, *intent.owners)
    )


def _fits(globs: Iterable[str], *names: str | None) -> bool:
    patterns = tuple(globs)
    return not patterns or any(
        name is not None and fnmatchcase(name, glob) for glob in patterns for name in names
    )


def _fits_anyhow(globs: Iterable[str], *names: str | None) -> bool:
    """Match without regard to case, as for e-mail addresses."""
    return _fits((glob.casefold() for glob in globs), *(n.casefold() for n in names if n))
