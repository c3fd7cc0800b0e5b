"""The promises that the repository makes about itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.collection import OPTIONAL
from scanner.formats.metrics_text import METRICS
from scanner.formats.registry import FORMATS
from scanner.policy.facts import FACTS
from scanner.settings_table import SETTINGS
from scanner.variables import VARIABLES
from tests.conftest import ROOT, golden

MODULES = sorted((ROOT / "scanner").rglob("*.py"))
LOCKS = ("requirements.lock", "requirements-dev.lock")
SMALL_LOCKS = ("requirements-build.lock", "tests/deploy/tools.lock")


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_and_functions_stay_small(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 300
    for function in functions(module):
        assert (function.end_lineno or 0) - function.lineno < 50, function.name


def test_packages_import_nothing_by_themselves() -> None:
    for module in MODULES:
        if module.name == "__init__.py":
            body = ast.parse(module.read_text()).body
            assert len(body) == 1, module


@pytest.mark.parametrize("lock", LOCKS + SMALL_LOCKS)
def test_locks_hold_versions_and_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    pins = re.findall(r"^([a-z0-9-]+)==\S+(.*)$", text, re.MULTILINE)
    assert pins
    for name, rest in pins:
        assert rest.endswith("\\"), name
    assert text.count("--hash=sha256:") >= len(pins)


def test_everything_needed_at_run_time_is_locked_alike_for_development() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in LOCKS
    ]
    assert pins[0].items() <= pins[1].items()


def test_the_table_of_facts_is_the_registrys() -> None:
    document = ROOT / "docs" / "policies.md"
    before, rest = document.read_text().split("## Facts\n\n")
    after = rest[rest.index("\n\n## ") :]
    golden(document, f"{before}## Facts\n\n{facts_table()}{after}")


def facts_table() -> str:
    rows = ["| fact | type | meaning | source |", "|---|---|---|---|"]
    for fact in sorted(FACTS.values(), key=lambda fact: not fact.needs.isdisjoint(OPTIONAL)):
        kind = " \\| ".join(f"`{one}`" for one in fact.choices) or fact.type.name.lower()
        rows.append(f"| `{fact.name}` | {kind} | {fact.meaning} | {fact.source} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_the_declarations() -> None:
    document = ROOT / "docs" / "settings.md"
    before, rest = document.read_text().split("## Reference\n\n")
    after = rest[rest.index("## ") :]
    golden(document, f"{before}## Reference\n\n{settings_table()}\n\n{after}")


def settings_table() -> str:
    rows = ["| in the file | flag | variable | meaning | default |", "|---|---|---|---|---|"]
    for one in SETTINGS:
        word = one.kind.word.replace("|", "\\|")
        takes = f" `{word}`" if word else ""
        name = f"`{one.name}`" if one.name else ""
        rows.append(
            f"| {name} | `{one.flag}`{takes} | `{one.variable}` | {one.help} | {one.otherwise} |"
        )
    rows += ["", "Settings that only the environment provides:", ""]
    rows += ["| variable | meaning |", "|---|---|"]
    rows += [f"| `{one.name}` | {one.help} |" for one in VARIABLES]
    return "\n".join(rows)


def test_the_readme_names_every_format() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in FORMATS:
        assert f"--output {name}=" in readme


def test_links_between_the_documents_lead_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_table_of_metrics_is_the_modules() -> None:
    document = ROOT / "docs" / "operations.md"
    head = "| metric | type | labels beside `organization` | meaning |\n|---|---|---|---|\n"
    before, rest = document.read_text().split(head)
    after = rest[rest.index("\nThe label") :]
    rows = (
        f"| `{one.name}` | {one.type} | {', '.join(f'`{label}`' for label in one.labels)} |"
        f" {one.help} |\n"
        for one in METRICS
    )
    golden(document, f"{before}{head}{''.join(rows)}{after}")
