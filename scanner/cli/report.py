"""`keyvigil report`: a recorded scan, rendered again."""

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
"""How a scan is named by its place among those of its organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A scan of the history by its name, and what it is to be judged by; None: as that night.

    `config` may name the files of the policies of that scan; what scans `skip` is not a gap.
    `is_current`: the policies are read as they are now, and not as they were recorded.
    """

    name: str = "latest"
    policies: Sequence[str] | None = None
    store: str | None = None
    organization: str | None = None
    config: Path | None = None
    is_current: bool = False
    skip: Sequence[Collection] = ()


def report(wanted: Wanted, outputs: Sequence[str], *, masks: bool) -> None:
    """Write the reports of a recorded scan, or print its summary; raise typer.Exit."""
    written = read_outputs(outputs, None, wanted.organization)
    result = recorded(wanted).result
    shown = without_addresses(result) if masks else result
    failures = [error for error in write_reports(shown, written) if error]
    if not written:
        print_summary(shown, out, shows_all=False)
    raise typer.Exit(conclude(result, failures, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded scan as it was on its night, with what it saw and was judged by."""

    result: ScanResult
    scanned: Scanned
    store: "SqlStore"
    organization: str


def recorded(wanted: Wanted) -> Recorded:
    """Return a recorded scan, judged once more; raise UsageError or StoreError."""
    settings = read_store_settings(os.environ, wanted.store)
    if settings is None:
        raise UsageError("There is no history to take a scan from.", help="Leave out --store none.")
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
    """Say whose scan was taken, where several organizations have some and none was named."""
    if len(history.organizations()) > 1:
        name = history.names.shown_name(night.organization)
        say(f"Taken: {name}, scanned last. --organization NAME takes another.")


def seen_again(wanted: Wanted) -> ScanResult | None:
    """Return a recorded scan's result; None if what it saw, or a policy of it, is not at hand.

    The policies that are wanted stand in for those of scans that recorded none.
    """
    for policies in (None, wanted.policies):
        with suppress(KeyVigilError):
            return recorded(replace(wanted, policies=policies)).result
    return None


def _policies(wanted: Wanted, night: Night, history: "SqlStore") -> tuple[Policy, ...]:
    """Return what a scan is to be judged by; raise UsageError or PolicyError."""
    if wanted.policies:
        return load_policies(wanted.policies)
    if night.sources and not wanted.is_current:
        return recorded_policies(night.sources, history.policy_texts(night))
    return load_policies(_of_that_night(night, wanted.config))


def _is_by(policies: Sequence[Policy], night: Night) -> bool:
    """Whether these are the policies that the scan went by."""
    digests = {one.source.digest for policy in policies for one in policy.texts}
    return digests == {source.digest for source in night.sources}


def _of_that_night(night: Night, config: Path | None) -> list[str]:
    """Return its policies, by name or file; raise UsageError for one that is not at hand."""
    shipped = shipped_policies()
    own = [name for name in night.policies if name not in shipped]
    files = _named_by(config) if own and config else {}
    lost = [name for name in own if name not in files]
    if lost:
        raise UsageError(
            f"The scan {night.scan_id} was judged by {', '.join(lost)}, which does not ship.",
            help="Name the file: --policy FILE.",
        )
    return [files.get(name, name) for name in night.policies]


def _named_by(config: Path) -> dict[str, str]:
    """Return the policy files that the settings name, by the policy's name."""
    file = read_settings_file(config)
    said = [file.said, *(one.own for one in file.organizations)]
    texts = [text for one in said if (it := one.get(POLICIES.parameter)) for text in it.texts]
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        with suppress(KeyVigilError):  # `config validate` tells it better
            (policy,) = read_policies([text])
            found.setdefault(policy.name, text)
    return found


def _tell_differences(result: ScanResult, night: Night) -> None:
    """Say so if today's policies find something else than those of that night did."""
    then, now = night.by_severity, result.totals().by_severity
    if then != now:
        say(
            f"Judged by the policies as they are now: {sum(now.values()):,} violations, where the"
            f" scan found {sum(then.values()):,}."
        )
