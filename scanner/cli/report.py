"""`keyvigil report`: a recorded scan, rendered again."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
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
from scanner.lifecycle import Night
from scanner.plan import make_plan
from scanner.policy_files import load_policies, read_policies, shipped_policies
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.scan import Scanned, compared, scan
from scanner.settings import read_store_settings
from scanner.settings_file import read_settings_file
from scanner.settings_table import OUTPUTS, POLICIES
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
    config: ConfigOption = None,
) -> None:
    """Render a recorded scan again, with its history as it was on that night.

    Asks nobody and records nothing. Exits 3 if the scan was incomplete, as it did itself.
    """
    outputs = read_outputs(output or [], None, organization)
    result = recorded(from_, policy, store, organization, config).result
    shown = without_addresses(result) if redact_emails else result
    failures = write_reports(shown, outputs)
    if not outputs:
        print_summary(shown, out, shows_all=False)
    raise typer.Exit(conclude(result, failures, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded scan as it was on its night, with what it saw and was judged by."""

    result: ScanResult
    scanned: Scanned
    store: "SqlStore"
    organization: str


def recorded(
    name: str,
    policy: list[str] | None,
    store: str | None,
    organization: str | None,
    config: Path | None = None,
) -> Recorded:
    """Return a recorded scan, judged by `policy`, or else by what it was judged by that night.

    The settings file `config` may name the files of those. Raise UsageError or StoreError.
    """
    settings = read_store_settings(os.environ, store)
    if settings is None:
        raise UsageError("There is no history to take a scan from.", help="Leave out --store none.")
    history = open_store(settings, must_exist=True)
    night = history.find(name, organization)
    policies = load_policies(policy or _of_that_night(night, config))
    saw = parse_snapshot(BytesIO(history.snapshot(night.scan_id)), f"the scan {night.scan_id}")
    source = stored(saw, make_plan(policies))
    scanned = scan(source.collect, policies, night.started_at, lambda: night.finished_at)
    scanned = replace(scanned, result=replace(scanned.result, id=night.scan_id))
    result = compared(scanned, history.before(night), night.organization)
    _tell_differences(result, night)
    return Recorded(result=result, scanned=scanned, store=history, organization=night.organization)


def seen_again(
    policy: list[str] | None, store: str | None, organization: str | None, scan_id: str
) -> ScanResult | None:
    """Return a recorded scan's result; None if what it saw, or a policy of it, is not at hand."""
    try:
        return recorded(scan_id, policy, store, organization).result
    except KeyVigilError:
        return None


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
