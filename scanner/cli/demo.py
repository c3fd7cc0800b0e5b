"""`keyvigil demo`: a made-up organization, scanned over real HTTP, without any credentials."""

import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from scanner.announce import announcement
from scanner.announcement import Route, Sink
from scanner.cli.alerts import print_alert
from scanner.cli.console import ExitCode, out, say
from scanner.cli.memory import Memory
from scanner.cli.run import Source, conclude, live, remembered, scan_and_report
from scanner.cli.summary import changes_of
from scanner.formats.files import check_writable
from scanner.plan import make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.result import ScanResult
from scanner.scan import scan
from scanner.secret import Secret
from scanner.settings import Settings, StoreSettings
from scanner.wiring import demo_nights, open_store

_NIGHTS: Final = 14
_ORGANIZATION: Final = "Acme Robotics"
_CHANNEL: Final = Route(name="In Slack", sink=Sink.SLACK, to="#security")
_HISTORY: Final = "demo-history.db"
"""Made anew by each run: a name that nobody's own history has."""


def demo(
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where to write the reports.")
    ] = Path("out/demo"),
) -> None:
    """Scan a made-up organization on fourteen simulated nights and write its report.

    Needs no key; nothing leaves this machine.
    """
    html, json, history = (folder / name for name in ("report.html", "report.json", _HISTORY))
    for path in (html, json, history):
        check_writable(path)
    policies = load_policies(["baseline"])
    for name in (_HISTORY, f"{_HISTORY}-wal", f"{_HISTORY}-shm"):
        (folder / name).unlink(missing_ok=True)
    store = open_store(StoreSettings(place=Secret(str(history))))
    say("A made-up organization is served on this machine; nothing leaves it.")
    say("")
    code = ExitCode.DONE
    for number, (moment, settings) in enumerate(demo_nights(_NIGHTS), start=1):
        source = _at(moment, settings, policies)
        with store.hold(_ORGANIZATION) as lease:
            memory = Memory(store=store, organization=_ORGANIZATION, lease=lease)
            if number < _NIGHTS:
                result, _ = remembered(scan(source.collect, policies, moment, source.clock), memory)
                _print_night(result)
            else:
                out.print("")
                outputs = (("html", html), ("json", json))
                result, failures = scan_and_report(source, policies, outputs, memory=memory)
                code = conclude(result, failures, None)
                out.print("")
                print_alert(_CHANNEL, announcement(result, _CHANNEL))
    out.print("")
    out.print(f"Report:    {html}", soft_wrap=True)
    out.print(f"As JSON:   {json}", soft_wrap=True)
    command = "keyvigil" if shutil.which("keyvigil") else sys.argv[0]
    out.print(f"Next:      {command} history --store {history}", soft_wrap=True)
    out.print(f"           {command} policies show baseline", soft_wrap=True)
    out.print(f"           {command} scan     with OPENAI_ADMIN_KEY set", soft_wrap=True)
    raise typer.Exit(code)


def _at(moment: datetime, settings: Settings, policies: tuple[Policy, ...]) -> Source:
    """Walk what is served, as if it was that moment."""
    return Source(collect=live(settings, make_plan(policies)).collect, clock=lambda: moment)


def _print_night(result: ScanResult) -> None:
    changes = changes_of(result.history) if result.history else ()
    out.print(
        f"{result.started_at:%Y-%m-%d}  {len(result.violations):2} violations"
        f"  {', '.join(changes)}",
        soft_wrap=True,
    )
