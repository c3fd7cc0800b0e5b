"""`keyvigil demo`: a made-up organization, scanned over real HTTP, without any credentials."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.console import out, say
from scanner.cli.run import live, scan_and_report
from scanner.formats.files import check_writable
from scanner.plan import make_plan
from scanner.wiring import demo_settings, load_policies


def demo(
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where to write the reports.")
    ] = Path("out/demo"),
) -> None:
    """Scan a made-up organization on this machine and write its report. Needs no key."""
    html, json = folder / "report.html", folder / "report.json"
    check_writable(html)
    check_writable(json)
    policies = load_policies(["baseline"])
    with demo_settings() as settings:
        say(
            f"A made-up organization is served at {settings.base_url}; nothing leaves this machine."
        )
        say("")
        source = live(settings, make_plan(policies))
        scan_and_report(source, policies, (("html", html), ("json", json)))
    out.print("")
    out.print(f"Report:    {html}", soft_wrap=True)
    out.print(f"As JSON:   {json}", soft_wrap=True)
    command = "keyvigil" if shutil.which("keyvigil") else sys.argv[0]
    out.print(f"Next:      {command} policies show baseline", soft_wrap=True)
    out.print(f"           {command} scan     with OPENAI_ADMIN_KEY set", soft_wrap=True)
