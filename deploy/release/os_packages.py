"""Print the licences of the base image as Markdown. It runs while the image is built."""

import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

HEAD = """\
# Licences of the base image

Python {python} (PSF-2.0): `{text}`.

"""
TABLE = """\
| package | version | licences that its copyright file names | copyright file |
|---|---|---|---|
"""


def document(root: Path) -> str:
    """Return the list for the system below `root`; or a statement that there are none."""
    status = root / "var" / "lib" / "dpkg" / "status"
    text = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    head = HEAD.format(python=platform.python_version(), text=text)
    if not status.is_file():
        return f"{head}The packages are unknown: file not found: `/{status.relative_to(root)}`.\n"
    return head + TABLE + "".join(sorted(rows(status.read_text(encoding="utf-8"), root)))


def rows(status: str, root: Path) -> Iterator[str]:
    """Yield a row for each installed package of dpkg's status file."""
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name = fields["Package"]
            path = root / "usr" / "share" / "doc" / name / "copyright"
            shown = f"`/{path.relative_to(root)}`" if path.is_file() else "none found"
            yield f"| {name} | {fields['Version']} | {licences(path)} | {shown} |\n"


def licences(path: Path) -> str:
    """Return the short names in a copyright file of the machine-readable form."""
    if not path.is_file():
        return "unknown"
    text = path.read_text(encoding="utf-8", errors="replace")
    named = set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE))
    return ", ".join(sorted(named)) or "see the file"


if __name__ == "__main__":
    sys.stdout.write(document(Path("/")))
