"""`keyvigil report`: render a recorded scan again."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from scanner.cli.console import out, say
from scanner.cli.outputs import read_outputs
from scanner.cli.run import conclude, stored, write_reports
from scanner.cli.summary import print_summary
from scanner.collection import Collection
from scanner.errors import KeyVigilError, UsageError
from scanner.formats.snapshot import parse_snapshot
from scanner.lifecycle import Night
from scanner.plan import make_plan
from scanner.plausible import CLOCKS_DIFFER
from scanner.policy.model import Policy
from scanner.policy_files import (
    load_policies,
    read_policies,
    recorded_policies,
    shipped_policies,
)
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.scan import Scanned, compared, scan
from scanner.settings import read_store_settings
from scanner.settings_file import read_settings_file
from scanner.settings_table import POLICIES
from scanner.wiring import now, open_store

if TYPE_CHECKING:
    from scanner.store.history import SqlStore


WITHOUT_ID: Final = ("latest", "previous")
"""Names that select a scan by its position among those of its organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A recorded scan by its name, and the policies to evaluate; None: those of the scan.

    `config` may name the policy files of that scan; collections in `skip` are not gaps.
    `is_current`: read the policies from their files instead of the recorded texts.
    """

    name: str = "latest"
    policies: Sequence[str] | None = None
    store: str | None = None
    organization: str | None = None
    config: Path | None = None
    is_current: bool = False
    skip: Sequence[Collection] = ()


def report(wanted: Wanted, outputs: Sequence[str], *, masks: bool) -> None:
    """Write the reports of a recorded scan, or print its summary; always raise typer.Exit."""
    written = read_outputs(outputs, None, wanted.organization)
    result = recorded(wanted).result
    shown = without_addresses(result) if masks else result
    failures = [error for error in write_reports(shown, written) if error]
    if not written:
        is_latest = wanted.organization is None and wanted.name == "latest"
        print_summary(shown, out, shows_all=False, is_latest=is_latest)
    raise typer.Exit(conclude(result, failures, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded scan as of its own time, with its inventory and policies."""

    result: ScanResult
    scanned: Scanned
    store: "SqlStore"
    organization: str


def recorded(wanted: Wanted) -> Recorded:
    """Return a recorded scan, evaluated again; raise UsageError or StoreError."""
    settings = read_store_settings(os.environ, wanted.store)
    if settings is None:
        raise UsageError("No history is configured: --store is none.", help="Omit --store none.")
    history = open_store(settings, must_exist=True)
    night = history.find(wanted.name, wanted.organization, before=now() + CLOCKS_DIFFER)
    if wanted.organization is None and wanted.name in WITHOUT_ID:
        tell_whose(history, night)
    policies = _policies(wanted, night, history)
    saw = parse_snapshot(BytesIO(history.snapshot(night.scan_id)), f"the scan {night.scan_id}")
    source = stored(saw, make_plan(policies, skip=wanted.skip))
    scanned = scan(source.collect, policies, night.started_at, lambda: night.finished_at)
    scanned = replace(scanned, result=replace(scanned.result, id=night.scan_id))
    reported = history.reported(night.scan_id) if _is_by(policies, night) else None
    if reported is None:
        result = compared(scanned, history.before(night), night.organization)
    else:
        result = replace(scanned.result, history=reported, history_name=night.organization)
    name = saw.inventory.organization or history.names.shown_name(night.organization)
    result = replace(result, organization=name)
    _tell_differences(result, night)
    return Recorded(result=result, scanned=scanned, store=history, organization=night.organization)


def tell_whose(history: "SqlStore", night: Night) -> None:
    """Print the organization of the selected scan if the history has several."""
    if len(history.organizations()) > 1:
        name = history.names.shown_name(night.organization)
        say(f"Selected the last scanned organization, {name}; --organization NAME selects another.")


def seen_again(wanted: Wanted) -> ScanResult | None:
    """Return a recorded scan's result; None if its snapshot or a policy of it is not available.

    `wanted.policies` are used for scans that recorded no policies.
    """
    for policies in (None, wanted.policies):
        with suppress(KeyVigilError):
            return recorded(replace(wanted, policies=policies)).result
    return None


def _policies(wanted: Wanted, night: Night, history: "SqlStore") -> tuple[Policy, ...]:
    """Return the policies to evaluate; raise UsageError or PolicyError."""
    if wanted.policies:
        return load_policies(wanted.policies)
    if night.sources and not wanted.is_current:
        return recorded_policies(night.sources, history.policy_texts(night))
    return load_policies(_of_that_night(night, wanted.config))


def _is_by(policies: Sequence[Policy], night: Night) -> bool:
    """Whether these are the policies that the scan used, with the same texts."""
    digests = {one.source.digest for policy in policies for one in policy.texts}
    return digests == {source.digest for source in night.sources}


def _of_that_night(night: Night, config: Path | None) -> list[str]:
    """Return a scan's policies, by name or file; raise UsageError for one without a file."""
    shipped = shipped_policies()
    own = [name for name in night.policies if name not in shipped]
    files = _named_by(config) if own and config else {}
    lost = [name for name in own if name not in files]
    if lost:
        raise UsageError(
            f"The scan {night.scan_id} used policies that are not shipped: {', '.join(lost)}.",
            help="Name each file with --policy FILE.",
        )
    return [files.get(name, name) for name in night.policies]


def _named_by(config: Path) -> dict[str, str]:
    """Return the policy files of the settings, by policy name."""
    file = read_settings_file(config)
    said = [file.said, *(one.own for one in file.organizations)]
    texts = [text for one in said if (it := one.get(POLICIES.parameter)) for text in it.texts]
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        with suppress(KeyVigilError):  # `config validate` reports it
            (policy,) = read_policies([text])
            found.setdefault(policy.name, text)
    return found


def _tell_differences(result: ScanResult, night: Night) -> None:
    """Print a message if the counts of this evaluation and of the recorded scan differ."""
    then, now = night.by_severity, result.totals().by_severity
    if then != now:
        say(
            f"This evaluation found {sum(now.values()):,} violations; the recorded scan found"
            f" {sum(then.values()):,}."
        )
