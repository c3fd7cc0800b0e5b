"""Golden files for what people read: one a test module, one section a test.

A test asserts types, codes, exit codes and structured output by itself, and gives its texts to the
fixture `prose`. Only that fixture knows the words, so that rewording touches no test.
"""

import json
import os
import re
from pathlib import Path
from typing import Final

_VOLATILE: Final = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00| UTC)?"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b\d{8}T\d{6}Z?-[0-9a-f]{4,}\b"), "<scan id>"),
    (re.compile(r"postgresql\S*://\S+"), "<database>"),
)


class Prose:
    """Compares texts with the section of one test; KEYVIGIL_WRITE_GOLDEN=1 writes it instead."""

    def __init__(self, file: Path, section: str, folder: Path) -> None:
        self._file, self._section, self._folder = file, section, folder
        self._seen = 0

    def __call__(self, text: str, **values: object) -> None:
        """Compare the test's next text, with each of `values` replaced by its name."""
        found = text.replace(str(self._folder), "<folder>")
        for name, value in values.items():
            found = found.replace(str(value), f"<{name}>")
        for pattern, name in _VOLATILE:
            found = pattern.sub(name, found)
        kept = json.loads(self._file.read_text()) if self._file.exists() else {}
        mine = kept.get(self._section, [])
        if os.environ.get("KEYVIGIL_WRITE_GOLDEN"):
            mine = [*mine[: self._seen], found.splitlines()]
            kept[self._section] = mine
            self._file.parent.mkdir(parents=True, exist_ok=True)
            written = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
            self._file.write_text(f"{written}\n", encoding="utf-8")
        assert mine[self._seen :], f"{self._file} has no text {self._seen + 1} of {self._section}"
        assert mine[self._seen] == found.splitlines()
        self._seen += 1
