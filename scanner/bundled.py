"""The data that ships with KeyVigil: policy packs and report templates."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def bundled(folder: str) -> Traversable:
    """Return the shipped folder `policies` or `reports`: of the wheel, or else of the checkout."""
    installed = files("scanner") / "_bundled" / folder
    if installed.is_dir():
        return installed
    return Path(__file__).resolve().parent.parent / folder
