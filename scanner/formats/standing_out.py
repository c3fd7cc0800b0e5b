"""Violations by owner and project, the oldest key, and the key with the most violations."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from scanner.finding import Finding
from scanner.inventory import Unknown
from scanner.severity import Severity


class Share(NamedTuple):
    """One owner or project: its id, name, violations by severity, and keys.

    `id` is "" where there is none: of an owner that is not known, and of the organization itself.
    """

    id: str
    name: str
    by_severity: dict[Severity, int]
    keys: int

    @property
    def violations(self) -> int:
        """The number of all violations."""
        return sum(self.by_severity.values())


class Exposed(NamedTuple):
    """The key that violates the most rules, and its most severe finding."""

    finding: Finding
    rules: int


def by_owner(violations: Iterable[Finding]) -> list[Share]:
    """Return the violations of each owner, those with the most severe first."""
    return _shares((_owner(finding), finding) for finding in violations)


def by_project(violations: Iterable[Finding]) -> list[Share]:
    """Return the violations of each project, those with the most severe first."""
    return _shares((_project(finding), finding) for finding in violations)


def oldest(violations: Iterable[Finding]) -> Finding | None:
    """Return the most severe finding of the oldest key in violation."""
    dated = [
        (finding.key.created_at, finding)
        for finding in violations
        if isinstance(finding.key.created_at, datetime)
    ]
    return min(dated, key=itemgetter(0), default=(None, None))[1]


def most_exposed(violations: Iterable[Finding]) -> Exposed | None:
    """Return the key that violates the most rules, if one violates more than one."""
    of_key: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in violations:
        of_key[finding.key.id].append(finding)
    most = max(of_key.values(), key=len, default=[])
    return Exposed(finding=most[0], rules=len(most)) if len(most) > 1 else None


def _owner(finding: Finding) -> tuple[str, str]:
    owner = finding.key.owner
    owner_id = "" if isinstance(owner.id, Unknown) else owner.id
    return owner_id, owner.name or finding.owner_email or owner_id or "unknown"


def _project(finding: Finding) -> tuple[str, str]:
    project = finding.project
    return (project.id, project.name or project.id) if project else ("", "organization")


def _shares(named: Iterable[tuple[tuple[str, str], Finding]]) -> list[Share]:
    names: dict[str, str] = {}  # the first name of an owner with several names
    found: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for (whose_id, name), finding in named:
        found[whose_id, names.setdefault(whose_id, name) if whose_id else name].append(finding)
    shares = []
    for (whose_id, name), findings in found.items():
        counts = dict.fromkeys(Severity, 0)
        for finding in findings:
            counts[finding.severity] += 1
        keys = len({finding.key.id for finding in findings})
        shares.append(Share(id=whose_id, name=name, by_severity=counts, keys=keys))
    return sorted(shares, key=lambda share: [-count for count in share.by_severity.values()])
