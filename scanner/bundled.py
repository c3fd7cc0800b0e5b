"""The data that ships with KeyVigil: policy packs and report templates."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

POLICIES: Final = "policies"
"""The folder of the shipped policies, in the repository and in the package."""


def bundled(folder: str) -> Traversable:
    """Return the shipped folder `policies` or `reports` of the wheel, or of the checkout."""
    installed = files("scanner") / "_bundled" / folder
    if installed.is_dir():
        return installed
    return Path(__file__).resolve().parent.parent / folder
