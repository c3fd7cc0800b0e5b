"""The summary on the terminal: grouped by rule, in columns, and never wider than the terminal."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from scanner.cli.summary import print_summary
from scanner.collection import Collection
from scanner.inventory import Inventory, ProjectAccess
from scanner.lifecycle import History
from scanner.policy_files import load_policies
from scanner.result import ScanResult, grouped
from scanner.scan import compared, scan
from tests.factories import (
    NOW,
    Remembered,
    a_gap,
    a_key,
    a_mixed_inventory,
    a_project,
    a_remembered_result,
    a_result,
    ago,
    an_admin_key,
    an_inventory,
    an_owner,
    full_coverage,
)
from tests.support.prose import Prose

WIDTHS = pytest.mark.parametrize("width", [50, 80, 120, 200])
HEADINGS = ("Key", "ID", "Project", "Owner", "Evidence", "Status")


def shown(result: ScanResult, width: int, *, is_terminal: bool = True, **options: bool) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=is_terminal,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    print_summary(result, console, **{"shows_all": False, **options})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")


def an_inventory_of(*names: str | None, **changes: object) -> Inventory:
    keys = (
        a_key(id=f"key_{number:016}", name=name, created_at=ago(days=100 + number), **changes)
        for number, name in enumerate(names)
    )
    return an_inventory(keys=tuple(keys))


def table_of(text: str, rule: str) -> list[str]:
    """Return the lines from the column headings to the end of this rule."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.endswith((f"  {rule}", f": {rule}")))
    block = lines[start : lines.index("", start)]
    at = next(number for number, line in enumerate(block) if line.lstrip().startswith("Key "))
    return block[at:]


LONG = an_inventory(
    organization="組織" * 60,
    keys=(
        a_key(id="key_1", name="日本語の鍵" * 12, created_at=ago(days=412, hours=5)),
        a_key(id="key_2", name="a" * 200, created_at=ago(days=412), expires_at=None),
        a_key(id="key_3", name="\x1b[31mred\u202e\x07" * 9, created_at=ago(days=412)),
        a_key(
            id="key_4",
            name="🔑" * 60,
            owner=an_owner(name="山田" * 40, email=f"{'x' * 90}@example.com"),
            created_at=ago(days=412),
        ),
        an_admin_key(created_at=ago(days=412), last_used_at=None),
    ),
    projects=(a_project(name="プロジェクト" * 20),),
    coverage=(*full_coverage("proj_1"), a_gap(Collection.USAGE)),
)


@WIDTHS
@pytest.mark.parametrize(
    "result", [a_result(LONG), a_result(), a_remembered_result()], ids=["long", "mixed", "history"]
)
def test_no_line_exceeds_the_terminal_and_no_control_character_remains(
    result: ScanResult, width: int
) -> None:
    text = shown(result, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert not set(text) & {*map(chr, range(32)), "\u202e", "\x7f"} - {"\n"}


@pytest.mark.parametrize("width", [80, 120])
def test_each_rule_has_a_heading_a_fix_and_a_table_with_column_headings(width: int) -> None:
    result = a_result()
    lines = shown(result, width).splitlines()
    groups = grouped(result.violations)
    assert groups
    for group in groups:
        heading = next(number for number, line in enumerate(lines) if group.rule.defect in line)
        assert lines[heading].startswith(group.severity.value)
        assert f"  {len(group.findings)} key" in lines[heading]
        below = lines[heading + 1 : heading + 3]
        assert lines[heading].endswith(f"  {group.rule.id}") or below.pop(0).endswith(group.rule.id)
        assert below[0].startswith("  fix: ")
        table = table_of("\n".join([*lines, ""]), group.rule.id)
        assert [word for word in table[0].split() if word in HEADINGS] == table[0].split()
        assert len(table) == 1 + len(group.findings)


@pytest.mark.parametrize("width", [80, 120])
def test_all_tables_have_the_same_columns(width: int) -> None:
    lines = shown(a_result(), width).splitlines()
    headings = {tuple(line.split()) for line in lines if line.startswith("  Key ")}
    assert len(headings) == 1
    assert "Key" in headings.pop()


def test_names_that_differ_at_their_end_differ_in_80_columns() -> None:
    names = [f"production-eu-west-batch-{number}" for number in (1, 2)]
    owner = an_owner(name="The Platform Engineering Team", email="platform@example.com")
    inventory = an_inventory_of(*names, owner=owner)
    inventory = replace(inventory, projects=(a_project(name="production-eu-west-batch"),))
    text = shown(a_result(inventory), 80)
    keys = [line.split()[0] for line in table_of(text, "key-too-old")[1:]]
    assert len(set(keys)) == 2
    assert all("…" in key and key.startswith("prod") for key in keys)


def test_keys_of_one_name_differ_by_the_end_of_their_value_where_no_id_is_shown() -> None:
    inventory = an_inventory_of("prod", "prod")
    keys = [
        replace(key, redacted_value=f"sk-...{end}")
        for key, end in zip(inventory.keys, ("Kka1", "6JoE"), strict=True)
    ]
    text = shown(a_result(replace(inventory, keys=tuple(keys))), 50)
    rows = table_of(text, "key-too-old")[1:]
    assert {row.split()[1] for row in rows} == {"…Kka1", "…6JoE"}


@pytest.mark.parametrize(("count", "more"), [(4, None), (5, "1 more key"), (9, "5 more keys")])
def test_a_rule_shows_four_keys_and_counts_the_rest(count: int, more: str | None) -> None:
    result = a_result(an_inventory_of(*(f"key {number}" for number in range(count))))
    rows = table_of(shown(result, 80), "key-too-old")[1:]
    counted = [row for row in rows if "more key" in row]
    assert len(rows) - len(counted) == 4
    assert [row.endswith(more or "") for row in counted] == [True] * bool(more)


def test_changed_keys_come_first_with_their_status_and_other_tables_have_no_such_column() -> None:
    policies = load_policies(["baseline"])
    store = Remembered()

    def recorded(inventory: Inventory, days: int) -> ScanResult:
        moment = NOW + timedelta(days=days)
        result = compared(scan(lambda: inventory, policies, moment, lambda: moment), store, "Acme")
        assert result.history
        store.remember(result.history)
        return result

    old = an_inventory_of(*(f"old {number}" for number in range(5)), expires_at=None)
    recorded(old, -1)
    late = a_key(id="key_late", name="late", created_at=ago(days=91))
    result = recorded(replace(old, keys=(*old.keys, late)), 0)
    text = shown(result, 80)
    headings, first, *rest = table_of(text, "key-too-old")
    assert headings.split()[-1] == "Status"
    assert (first.split()[0], first.split()[-1]) == ("late", "new")
    assert not any(row.endswith("new") for row in rest)
    assert table_of(text, "key-without-expiry")[0].split()[-1] == "Evidence"


def test_owner_states_are_words_and_no_names_of_values() -> None:
    key = a_key(project_access=ProjectAccess.INACTIVE)
    text = shown(a_result(an_inventory(keys=(key,))), 80)
    assert "no_project_access" not in text
    assert "no project access" in table_of(text, "owner-lost-project-access")[1]


@pytest.mark.parametrize(
    ("has_history", "is_latest", "command"),
    [
        (False, True, "keyvigil scan --output html=report.html"),
        (True, True, "keyvigil report --output html=report.html"),
        (True, False, "keyvigil report --from 20260701T030000Z-0a1b2c3d --output html=report.html"),
    ],
)
def test_the_last_line_is_the_command_that_shows_all_findings(
    command: str, *, has_history: bool, is_latest: bool
) -> None:
    history: History | None = a_remembered_result().history if has_history else None
    result = replace(a_result(), history=history)
    text = shown(result, 80, is_latest=is_latest)
    assert text.splitlines()[-1] == f"  {command}"
    assert command not in shown(result, 80, is_latest=is_latest, shows_all=True)


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_reads_as_agreed(width: int, prose: Prose) -> None:
    prose(shown(a_remembered_result(), width))
    prose(shown(a_result(a_mixed_inventory()), width, is_terminal=False))
    prose(shown(a_result(an_inventory()), width))
