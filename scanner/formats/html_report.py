"""The report that people read: one self-contained HTML file from the templates in `reports/`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from scanner.bundled import bundled
from scanner.display import visible
from scanner.durations import format_duration
from scanner.finding import Severity
from scanner.formats.trend import draw
from scanner.inventory import Project, Unknown, by_collection
from scanner.lifecycle import History, Standing, State
from scanner.result import RuleGroup, ScanResult, grouped, undecided

_CHANGES: Final = (
    State.NEW,
    State.REOPENED,
    State.ESCALATED,
    State.LOWERED,
    State.RESOLVED,
)
_OWNER_STATES: Final = {
    "active": "active",
    "disabled": "disabled",
    "left_org": "left the organization",
    "no_project_access": "no access to the project",
    "service_account_missing": "service account deleted",
}
_COLLECTIONS: Final = {
    "projects": "Projects",
    "users": "Users",
    "admin_api_keys": "Admin keys",
    "api_keys": "Project keys",
    "service_accounts": "Service accounts",
    "usage": "Usage",
    "costs": "Costs",
    "audit_logs": "Audit log",
}


def render_html(result: ScanResult) -> str:
    """Render the report; whatever strangers named their keys is shown as text, never obeyed."""
    severities = _by_severity(grouped(result.violations))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            totals=result.totals(),
            severities=severities,
            anchors=_anchors(severities),
            excepted=grouped(result.excepted),
            undecided=undecided(result.undetermined),
            coverage=by_collection(result.coverage),
            changes=_changes(result.history),
            standings=_marked(result.history),
            trend=draw(result.history.nights) if result.history else None,
            version=version("keyvigil"),
        )
    )


def _changes(history: History | None) -> dict[str, tuple[Standing, ...]]:
    """Return what changed since the night before, under the words for it."""
    if history is None or history.previous is None:
        return {}
    changes = {state.value: history.of(state) for state in _CHANGES}
    return {word: standings for word, standings in changes.items() if standings}


def _marked(history: History | None) -> dict[str, Standing]:
    """Return the standings that a finding is marked with, by fingerprint."""
    if history is None or history.previous is None:
        return {}
    return {s.case.fingerprint: s for s in history.of(*_CHANGES[:-1])}


def _by_severity(groups: Iterable[RuleGroup]) -> dict[Severity, list[RuleGroup]]:
    """Put rules together by severity, worst first; severities without findings are left out."""
    by_severity: defaultdict[Severity, list[RuleGroup]] = defaultdict(list)
    for group in groups:
        by_severity[group.severity].append(group)
    return {severity: by_severity[severity] for severity in Severity if by_severity[severity]}


def _anchors(severities: dict[Severity, list[RuleGroup]]) -> dict[str, str]:
    """Name where each violated rule stands first: by the worst severity it rises to."""
    anchors: dict[str, str] = {}
    for severity, groups in severities.items():
        for group in groups:
            anchors.setdefault(group.rule.id, f"rule-{group.rule.id}-{severity.value}")
    return anchors


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=_inert,
        loader=FunctionLoader(_template),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "day": _day,
        "minute": _minute,
        "owner_state": _owner_state,
        "project": _project,
        "collection": lambda name: _COLLECTIONS[name],
        "plural": _plural,
        "number": lambda count: f"{count:,}",
        "duration": format_duration,
    }
    return environment


def _template(name: str) -> str:
    return (bundled("reports") / name).read_text(encoding="utf-8")


def _inert(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """Write out control characters in every text that is not already markup."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _day(moment: datetime | Unknown | None, never: str) -> str:
    match moment:
        case None:
            return never
        case Unknown():
            return "unknown"
        case datetime():
            return f"{moment:%Y-%m-%d}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _owner_state(state: str | Unknown) -> str:
    return "unknown" if isinstance(state, Unknown) else _OWNER_STATES[state]


def _project(project: Project | None) -> str:
    return "organization" if project is None else project.name or project.id


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
