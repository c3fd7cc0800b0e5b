"""The HTML report of many organizations: one self-contained file without a script."""

import shlex
from importlib.metadata import version
from typing import Final

from markupsafe import Markup

from scanner.display import visible
from scanner.formats.html_report import asset, digest, environment
from scanner.formats.overview_rows import OrganizationRow, Overview
from scanner.formats.page_data import OWNER_STATES
from scanner.formats.visit import OrganizationState

NOT_SCANNED: Final = "not scanned"
_STATES: Final = {
    OrganizationState.COMPLETE: "complete",
    OrganizationState.INCOMPLETE: "incomplete",
    OrganizationState.SCANNED_ALREADY: "already scanned",
    OrganizationState.LOCKED: NOT_SCANNED,
    OrganizationState.FAILED: NOT_SCANNED,
    OrganizationState.NOT_REACHED: NOT_SCANNED,
}


def render_overview_html(overview: Overview) -> str:
    """Render the report; untrusted text is escaped and inert."""
    style = asset("report.css") + asset("overview.css")
    return (
        environment()
        .get_template("overview.html.j2")
        .render(
            overview=overview,
            totals=overview.totals,
            states=_STATES,
            counts=_counts(overview),
            is_complete=all(one.complete for one in overview.organizations),
            has_revocation=overview.totals.due is not None,
            owner_states=OWNER_STATES,
            again=_again,
            version=version("keyvigil"),
            policy=f"default-src 'none'; style-src '{digest(style)}'; base-uri 'none';"
            " form-action 'none'",
            style=Markup(style),  # noqa: S704 - our own files
        )
    )


def _counts(overview: Overview) -> dict[str, int]:
    """Return the number of organizations by the label of their state."""
    counts = dict.fromkeys(_STATES.values(), 0)
    for one in overview.organizations:
        counts[_STATES[one.state]] += 1
    return {words: count for words, count in counts.items() if count}


def _again(row: OrganizationRow) -> str:
    """Return the command that scans one organization again."""
    only = f" --only {shlex.quote(visible(row.name))}" if row.name else ""
    return f"keyvigil scan{only}"
