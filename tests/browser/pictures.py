"""The pictures in the README, of the demo's report: `make pictures`."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.slack_page import page

DOCS = Path(__file__).parent.parent.parent / "docs"
FLAGS = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
PICTURES = {
    "report-light.png": ("light", 1280, 1230, ""),
    "report-dark.png": ("dark", 1280, 1230, ""),
    "report-phone.png": ("light", 390, 1230, ""),
    "report-finding.png": ("light", 1280, 860, "#group=project"),
}


def take() -> None:
    """Run the demo and write the pictures; needs Chromium."""
    keyvigil = str(Path(sys.executable).parent / "keyvigil")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [keyvigil, "demo", "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, chromium_sandbox=False
        )
        for name, (scheme, width, height, address) in PICTURES.items():
            view = browser.new_page(
                color_scheme="dark" if scheme == "dark" else "light",
                viewport={"width": width, "height": height},
                offline=True,
            )
            view.goto((Path(folder) / "report.html").as_uri() + address)
            if address:
                view.locator("#table button.open").nth(1).click()
                view.evaluate("document.activeElement.blur()")
                view.evaluate("document.getElementById('findings').scrollIntoView()")
            view.screenshot(path=DOCS / name)
            view.close()
        alert = browser.new_page(viewport={"width": 760, "height": 200}, offline=True)
        alert.set_content(_alert(keyvigil, Path(folder)))
        alert.screenshot(path=DOCS / "alert.png", full_page=True)
        browser.close()


def _alert(keyvigil: str, folder: Path) -> str:
    """Return the page of what Slack is told of the demo's last night."""
    history, policy = str(folder / "demo-history.db"), str(folder / "demo-policy.yaml")
    command = [keyvigil, "alerts", "preview", "--json", "--store", history, "--policy", policy]
    shown = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - our own
    first, *rest = json.loads(shown)[0]["sent"]
    return page(first, len(rest))


if __name__ == "__main__":
    take()
