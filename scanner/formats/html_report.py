"""The HTML report: one self-contained file from the templates in `reports/`."""

import base64
import hashlib
from collections import Counter
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from scanner.announce_acts import in_words as in_words_of_act
from scanner.bundled import bundled
from scanner.coverage import by_collection
from scanner.display import visible
from scanner.durations import format_spaced
from scanner.finding import ExceptionText, Outcome
from scanner.formats.page_data import (
    ORGANIZATION,
    OWNER_STATES,
    STATUSES,
    exception_in_words,
    page_data,
    word_for_no_project,
)
from scanner.formats.standing_out import by_owner, by_project, most_exposed, oldest
from scanner.formats.trend import draw
from scanner.inventory import Project, Unknown
from scanner.lifecycle import History, Standing, State
from scanner.prospect import ahead, due
from scanner.result import ScanResult, undecided
from scanner.words import evidence_texts

_CHANGES: Final = (
    State.NEW,
    State.REOPENED,
    State.ESCALATED,
    State.DEESCALATED,
    State.RESOLVED,
)
_SCRIPT: Final = ("data.js", "findings.js", "page.js")
"""Concatenated to one module."""
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
    """Render the report; untrusted text is escaped and inert."""
    violations = result.violations
    style, script = asset("report.css"), "".join(map(asset, _SCRIPT))
    no_project = word_for_no_project(result)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            totals=result.totals(),
            violations=violations,
            oldest=oldest(violations),
            exposed=most_exposed(violations),
            owners=by_owner(violations),
            projects=by_project(violations),
            no_project=no_project,
            undecided=undecided(result.undetermined),
            coverage=by_collection(result.coverage),
            changes=_changes(result.history),
            standings=_marked(result.history),
            statuses=_statuses(result),
            trend=draw(result.history.nights) if result.history else None,
            version=version("keyvigil"),
            policy=_content_policy(style, script),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            data=Markup(page_data(result, no_project)),  # noqa: S704 - JSON without `<`
        )
    )


def _content_policy(style: str, script: str) -> str:
    """Return a content policy that allows this style and this script only, and no network."""
    return (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}';"
        " require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none';"
        " form-action 'none'"
    )


def digest(text: str) -> str:
    """Return the hash of a style or script for a content policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _changes(history: History | None) -> dict[str, tuple[Standing, ...]]:
    """Return the changes since the previous scan by status."""
    if history is None or history.previous is None:
        return {}
    changes = {state.value: history.of(state) for state in _CHANGES}
    return {word: standings for word, standings in changes.items() if standings}


def _marked(history: History | None) -> dict[str, Standing]:
    """Return the changes that findings are marked with, by fingerprint."""
    if history is None or history.previous is None:
        return {}
    return {s.case.fingerprint: s for s in history.of(*_CHANGES[:-1])}


def _statuses(result: ScanResult) -> list[str]:
    """Return the statuses that the table can be filtered by."""
    there = Counter(finding.outcome.value for finding in result.findings)
    if result.history:
        there.update(standing.state.value for standing in result.history.standings)
        there[State.RESOLVED.value] += len(result.history.closed)
    return [status for status in STATUSES if there[status]]


@cache
def environment() -> Environment:
    """Return the environment of the templates in `reports/`: all output is escaped and inert."""
    made = Environment(
        autoescape=True,
        finalize=_inert,
        loader=FunctionLoader(asset),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {
        "day": _day,
        "minute": _minute,
        "owner_state": _owner_state,
        "project": _project,
        "collection": lambda name: _COLLECTIONS[name],
        "plural": _plural,
        "number": lambda count: f"{count:,}",
        "duration": format_spaced,
        "words": lambda evidence: "; ".join(evidence_texts(evidence)),
        "filter": lambda value, name: urlencode({name: visible(value)}),
        "excepted": _excepted,
        "act_words": in_words_of_act,
        "ahead_words": lambda action, is_sure: ahead(action, is_sure=is_sure),
        "due_words": lambda action, at, is_sure: due(action, at, is_sure=is_sure),
    }
    return made


@cache
def asset(name: str) -> str:
    """Return a file of `reports/`."""
    return (bundled("reports") / name).read_text(encoding="utf-8")


def _inert(value: Any) -> Any:  # noqa: ANN401 - any value in a template
    """Make control characters visible in every text that is not markup."""
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
    return "unknown" if isinstance(state, Unknown) else OWNER_STATES[state]


def _project(project: Project | None) -> str:
    return ORGANIZATION if project is None else project.name or project.id


def _excepted(text: ExceptionText) -> str:
    """Return the URL fragment that shows the findings of an exception."""
    rule = {"rule": visible(text.rules[0])} if len(text.rules) == 1 else {}
    words = visible(exception_in_words(text))
    return urlencode({"status": Outcome.EXCEPTED.value, **rule, "q": words})


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


SCRIPT_HASH: Final = digest("".join(map(asset, _SCRIPT)))
"""The hash of the only script in a report."""
