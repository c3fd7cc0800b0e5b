"""`keyvigil init`: write a settings file and a policy to start with."""

import json
from pathlib import Path

from scanner.cli.console import inert, out
from scanner.errors import UsageError
from scanner.formats.files import check_writable, write_whole
from scanner.settings_file import DEFAULT_FILE
from scanner.settings_schema import settings_schema
from scanner.settings_text import POLICY_FILE, SCHEMA_FILE, policy_text, settings_text


def init(folder: Path, *, overwrites: bool) -> None:
    """Write the files and print the next commands; raise UsageError if a file exists."""
    texts = {
        DEFAULT_FILE: settings_text(),
        POLICY_FILE: policy_text(),
        SCHEMA_FILE: json.dumps(settings_schema(), indent=2) + "\n",
    }
    paths = [folder.expanduser() / name for name in texts]
    there = [str(path) for path in paths if path.exists()]
    if there and not overwrites:
        raise UsageError(
            f"{' and '.join(there)} already {'exists' if len(there) == 1 else 'exist'}.",
            help="Use another folder, or overwrite with --force.",
        )
    for path in paths:
        check_writable(path)
    for path, text in zip(paths, texts.values(), strict=True):
        write_whole(path, text.encode())
        out.print(inert(f"Wrote {path}"), soft_wrap=True)
    named = "" if folder == Path() else f" --config {paths[0]}"
    out.print("Next:  export OPENAI_ADMIN_KEY=sk-admin-...")
    out.print(inert(f"       keyvigil config show --origin{named}"), soft_wrap=True)
    out.print(inert(f"       keyvigil doctor{named}"), soft_wrap=True)
    out.print("           reports whether `organization` must be set in that file")
    out.print(inert(f"       keyvigil scan{named}"), soft_wrap=True)
