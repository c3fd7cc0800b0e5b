"""The pictures in the README, of the demo's report: `make pictures`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

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
            page = browser.new_page(
                color_scheme="dark" if scheme == "dark" else "light",
                viewport={"width": width, "height": height},
                offline=True,
            )
            page.goto((Path(folder) / "report.html").as_uri() + address)
            if address:
                page.locator("#table button.open").nth(1).click()
                page.evaluate("document.activeElement.blur()")
                page.evaluate("document.getElementById('findings').scrollIntoView()")
            page.screenshot(path=DOCS / name)
            page.close()
        browser.close()


if __name__ == "__main__":
    take()
