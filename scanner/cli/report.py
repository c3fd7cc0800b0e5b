"""`keyvigil report`: a recorded scan, rendered again."""

import os
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Annotated

import typer

from scanner.cli.console import out, say
from scanner.cli.options import (
    ConfigOption,
    OrganizationOption,
    PoliciesOption,
    RedactOption,
    StoreOption,
)
from scanner.cli.outputs import read_outputs
from scanner.cli.run import conclude, stored, write_reports
from scanner.cli.summary import print_summary
from scanner.errors import KeyVigilError, UsageError
from scanner.formats.snapshot import parse_snapshot
from scanner.inventory import Inventory
from scanner.lifecycle import Night
from scanner.plan import make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies, shipped_policies
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.scan import compared, scan
from scanner.settings import read_store_settings
from scanner.settings_table import OUTPUTS
from scanner.wiring import open_store

if TYPE_CHECKING:
    from scanner.store.history import SqlStore

ScanOption = Annotated[
    str,
    typer.Option("--from", metavar="SCAN", help="Its id, or how it begins; latest, previous."),
]
_Outputs = Annotated[  # not from the environment: that names where tonight's reports go
    list[str] | None, typer.Option(metavar="FORMAT=PATH", help=OUTPUTS.help)
]


def report(
    from_: ScanOption = "latest",
    policy: PoliciesOption = None,
    output: _Outputs = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    redact_emails: RedactOption = False,
    _config: ConfigOption = None,
) -> None:
    """Render a recorded scan again, with its history as it was on that night.

    Asks nobody and records nothing. Exits 3 if the scan was incomplete, as it did itself.
    """
    outputs = read_outputs(output or [], None, organization)
    result = recorded(from_, policy, store, organization).result
    shown = without_addresses(result) if redact_emails else result
    failures = write_reports(shown, outputs)
    if not outputs:
        print_summary(shown, out, shows_all=False)
    raise typer.Exit(conclude(result, failures, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded scan as it was on its night, with what it saw and was judged by."""

    result: ScanResult
    inventory: Inventory
    policies: tuple[Policy, ...]
    store: "SqlStore"


def recorded(
    name: str, policy: list[str] | None, store: str | None, organization: str | None
) -> Recorded:
    """Return a recorded scan; raise UsageError or StoreError."""
    settings = read_store_settings(os.environ, store)
    if settings is None:
        raise UsageError("There is no history to take a scan from.", help="Leave out --store none.")
    history = open_store(settings, must_exist=True)
    night = history.find(name, organization)
    policies = load_policies(policy or _of_that_night(night))
    saw = parse_snapshot(BytesIO(history.snapshot(night.scan_id)), f"the scan {night.scan_id}")
    source = stored(saw, make_plan(policies))
    scanned = scan(source.collect, policies, night.started_at, lambda: night.finished_at)
    scanned = replace(scanned, result=replace(scanned.result, id=night.scan_id))
    result = compared(scanned, history.before(night), night.organization)
    _tell_differences(result, night)
    return Recorded(result=result, inventory=scanned.inventory, policies=policies, store=history)


def seen_again(
    policy: list[str] | None, store: str | None, organization: str | None, scan_id: str
) -> ScanResult | None:
    """Return a recorded scan's result; None if what it saw, or a policy of it, is not at hand."""
    try:
        return recorded(scan_id, policy, store, organization).result
    except KeyVigilError:
        return None


def _of_that_night(night: Night) -> list[str]:
    """Return the names of its policies; raise UsageError where one of them was a file."""
    own = [name for name in night.policies if name not in shipped_policies()]
    if own:
        raise UsageError(
            f"The scan {night.scan_id} was judged by {', '.join(own)}, which does not ship.",
            help="Name the file: --policy FILE.",
        )
    return list(night.policies)


def _tell_differences(result: ScanResult, night: Night) -> None:
    """Say so if today's policies find something else than those of that night did."""
    then, now = night.by_severity, result.totals().by_severity
    if then != now:
        say(
            f"Judged by the policies as they are now: {sum(now.values()):,} violations, where the"
            f" scan found {sum(then.values()):,}."
        )
