"""`keyvigil demo`: scan a fictional organization over real HTTP, without credentials."""

import shutil
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import typer

from scanner.announce import announcement
from scanner.announce_acts import drafts_of_acts
from scanner.announcement import Delivery, Route, Sink
from scanner.cli.alerts import print_alert
from scanner.cli.console import ExitCode, out, say
from scanner.cli.memory import Memory
from scanner.cli.recording import remembered, with_history
from scanner.cli.run import Source, conclude, live, scan_and_report
from scanner.cli.summary import changes_of
from scanner.cli.telling import Alerts
from scanner.deliver import deliver
from scanner.formats.files import check_writable, write_whole
from scanner.inventory import Inventory
from scanner.plan import make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.ports import Lease, Log, Page
from scanner.result import ScanResult
from scanner.revocation import Bounds, Mode
from scanner.scan import scan
from scanner.secret import Secret
from scanner.settings import Settings, StoreSettings
from scanner.wiring import demo_nights, open_store

_NIGHTS: Final = 14
_ORGANIZATION: Final = "Acme Robotics"
_CHANNEL: Final = Route(name="Slack alert, not sent", sink=Sink.SLACK, to="#security")
_HISTORY: Final = "demo-history.db"
"""Replaced by each run; the name must not be that of a user's own history."""
_FILES: Final = ("report.html", "report.json", _HISTORY, "demo-policy.yaml", "demo.yaml")
_POLICY: Final = """\
policy: demo
description: The baseline; keys that violate four of its rules expire 13 days after the notice.
extends: [baseline]
rules:
  - id: key-never-used
    respond: { revoke: expire, after: 13d }
  - id: key-unused
    respond: { revoke: expire, after: 13d }
  - id: owner-disabled
    respond: { revoke: expire, after: 13d }
  - id: owner-left-org
    respond: { revoke: expire, after: 13d }
"""
_BOUNDS: Final = Bounds(max_percent=10)
_SETTINGS: Final = f"""\
# The settings of the demo, for --config of keyvigil history, report and revoke plan.
policies: [./demo-policy.yaml]
store: {{ url: {_HISTORY} }}
revocation: {{ mode: plan, max_percent: {_BOUNDS.max_percent} }}
"""


def demo(folder: Path, *, enforces: bool) -> None:
    """Scan on fourteen simulated days, write the report of the last; always raise typer.Exit."""
    html, json, history, policy, settings_file = (folder / name for name in _FILES)
    for path in (html, json, history, policy, settings_file):
        check_writable(path)
    write_whole(policy, _POLICY.encode())
    write_whole(settings_file, _SETTINGS.encode())
    policies = load_policies([str(policy)])
    for name in (_HISTORY, f"{_HISTORY}-wal", f"{_HISTORY}-shm"):
        (folder / name).unlink(missing_ok=True)
    store = open_store(StoreSettings(place=Secret(str(history))))
    say("Scanning a fictional organization, served on this machine. No data leaves it.")
    say("")
    code, mode = ExitCode.DONE, Mode.ENFORCE if enforces else Mode.PLAN
    for number, (moment, settings) in enumerate(demo_nights(_NIGHTS), start=1):
        source = _at(moment, settings, policies)
        with store.hold(_ORGANIZATION) as lease:
            memory = Memory(
                store=store,
                organization=_ORGANIZATION,
                lease=lease,
                alerts=_ALERTS,
                bounds=replace(_BOUNDS, mode=mode),
                settings=settings,
                own_key=settings.admin_key,
            )
            if number < _NIGHTS:
                collect = with_history(source.collect, policies, memory)
                result, _ = remembered(scan(collect, policies, moment, source.clock), memory)
                _hear(memory, lease, moment)
                _print_night(result)
            else:
                memory = replace(memory, alerts=Alerts())
                out.print("")
                outputs = (("html", html), ("json", json))
                reported = scan_and_report(source, policies, outputs, memory=memory)
                code = conclude(reported.result, reported.failures, None)
                _print_alerts(reported.result)
    _print_next(html, json, settings_file, "journal" if enforces else "plan")
    raise typer.Exit(code)


def _print_alerts(result: ScanResult) -> None:
    """Print the alerts of the last scan, and those of the revoked keys."""
    acts = result.revocation.acts if result.revocation else ()
    receipts = {act.intent.receipt for act in acts}
    drafts = drafts_of_acts(result, receipts, [_CHANNEL], len(acts))
    for told in (announcement(result, _CHANNEL), *(draft.announcement for draft in drafts)):
        out.print("")
        print_alert(_CHANNEL, told)


def _print_next(html: Path, json: Path, config: Path, revoke: str) -> None:
    command = "keyvigil" if shutil.which("keyvigil") else sys.argv[0]
    for line in (
        "",
        f"Report:    {html}",
        f"As JSON:   {json}",
        f"Next:      {command} history --config {config}",
        f"           {command} revoke {revoke} --config {config}",
        f"           {command} policies show baseline",
        f"           {command} scan     (requires OPENAI_ADMIN_KEY)",
    ):
        out.print(line, soft_wrap=True)


def _at(moment: datetime, settings: Settings, policies: tuple[Policy, ...]) -> Source:
    """Return a source that collects from the sandbox at a simulated `moment`."""

    def collect() -> Inventory:
        return replace(live(settings, make_plan(policies)).collect(), clock_ahead=timedelta())

    return Source(collect=collect, clock=lambda: moment)


def _hear(memory: Memory, lease: Lease, moment: datetime) -> None:
    """Deliver the alerts of a scan at the simulated `moment`."""
    outbox = memory.store.outbox
    for _ in deliver(
        outbox, lease, _SINKS, lambda: moment, lambda _: None, masks=False, verified_at=moment
    ):
        pass


def _take(delivery: Delivery, _log: Log, _page: Page) -> frozenset[str]:
    """Accept the whole delivery in place of Slack; return the fingerprints of its items."""
    return frozenset(item.fingerprint for item in delivery.draft.announcement.items)


_SINKS: Final = {_CHANNEL.name: _take}
_ALERTS: Final = Alerts(routes=(_CHANNEL,), sinks=_SINKS)


def _print_night(result: ScanResult) -> None:
    changes = changes_of(result.history) if result.history else ()
    out.print(
        f"{result.started_at:%Y-%m-%d}  {len(result.violations):2} violations"
        f"  {', '.join(changes)}",
        soft_wrap=True,
    )
