"""`keyvigil report`: an earlier scan, rendered again unchanged; addresses masked on request."""

import json
import re
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.collection import Collection
from scanner.finding import ExceptionTally, ExceptionText
from scanner.formats.html_report import render_html
from scanner.formats.json_report import render_json
from scanner.formats.registry import FORMATS, format_of
from scanner.formats.snapshot import Snapshot, render_snapshot
from scanner.inventory import Inventory
from scanner.lifecycle import State
from scanner.policy_files import load_policies
from scanner.redaction import without_addresses
from scanner.result import DisabledRule, ScanResult
from scanner.scan import compared, remember, scan
from scanner.store.history import SqlStore
from tests.cli.running import Ran, keyvigil
from tests.factories import (
    NOW,
    a_gap,
    a_key,
    a_remembered_result,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)
from tests.store.making import ACME, a_store, record

OLD, FRESH = ago(days=200), ago(days=1)


def keys(**created: Any) -> Inventory:
    made = (a_key(id=f"key_{name}", created_at=at) for name, at in created.items())
    return an_inventory(keys=tuple(made))


NIGHTS = (
    keys(a=OLD, b=OLD),
    keys(a=OLD, b=FRESH),  # b is mended
    keys(a=OLD, b=OLD, c=OLD),  # b comes back, c is new
    replace(
        keys(c=OLD),  # whether a and b are gone cannot be said
        coverage=(
            *(row for row in full_coverage("proj_1") if row.collection != Collection.PROJECT_KEYS),
            a_gap(Collection.PROJECT_KEYS, project_id="proj_1"),
        ),
    ),
    keys(c=OLD),  # a and b are gone
    keys(c=OLD, b=FRESH),
)


def remembered(store: SqlStore, inventory: Inventory, number: int) -> ScanResult:
    """Scan once and record it."""
    moment = NOW + timedelta(days=number, microseconds=number)
    scanned = scan(lambda: inventory, load_policies(["baseline"]), moment, lambda: moment)
    with store.hold(ACME) as lease:
        result = compared(scanned, store, ACME)
        snapshot = render_snapshot(Snapshot(taken_at=moment, inventory=inventory))
        remember(result, store, lease, snapshot, policies=scanned.policies)
    return result


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def report(place: Path, *more: str | Path) -> Ran:
    return keyvigil("report", "--store", place, *more)


@pytest.mark.slow
def test_every_past_night_is_rendered_as_it_was(place: Path) -> None:
    store = a_store(str(place))
    told = [remembered(store, inventory, number) for number, inventory in enumerate(NIGHTS)]
    states = set()
    closed = [{c.key_id for c in result.history.closed} for result in told if result.history]
    assert closed == [set(), set(), set(), set(), set(), {"key_a", "key_b"}]
    for result in told:
        night = json.loads(render_json(result))
        states |= {state for state, count in night["history"]["states"].items() if count}
        again = report(place, "--from", night["scan"]["id"], "--output", "json=-")
        assert json.loads(again.out) == night
        page = report(place, "--from", night["scan"]["id"], "--output", "html=-")
        assert page.out == render_html(result)
        assert again.code == (0 if night["scan"]["complete"] else 3)
    assert states >= {"new", "reopened", "unchanged", "unverified", "resolved"}


@pytest.mark.slow
def test_the_latest_scan_is_the_default(place: Path, tmp_path: Path) -> None:
    store = a_store(str(place))
    for number, inventory in enumerate(NIGHTS[:2]):
        remembered(store, inventory, number)
    shown = report(place)
    assert shown.code == 0
    assert "1 of 2 keys " in shown.out
    policy = tmp_path / "lax.yaml"
    policy.write_text(
        "policy: lax\nrules:\n  - { id: key-too-old, title: T, severity: low, why: W, fix: F,"
        " violated_when: { age: { over: 900d } } }\n"
    )
    other = report(place, "--from", "previous", "--policy", policy)
    assert re.search(r"0 violations; .* 2\.$", other.err, re.MULTILINE)
    wrong = report(place, "--from", "2020")
    assert wrong.code == 2
    assert "'2020'" in wrong.err
    assert report(place, "--store", "none").code == 2
    assert report(place, "--from", "latest", "--output", "pdf=x").code == 2


SECRET = "secret.o'hara@example.com"
IDS = {"fingerprint", "key_id", "rule", "id", "scan_id"}


def addressed(value: Any, name: str = "") -> Any:
    """Return the value with an address in every text but the ids that link things."""
    if type(value) is str:
        return value if name in IDS else f"{value} <{SECRET}>"
    if isinstance(value, tuple):
        names = getattr(value, "_fields", [""] * len(value))
        parts = [addressed(part, name) for part, name in zip(value, names, strict=True)]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: addressed(part, name) for name, part in held.items()})
    return value


def a_result_with_everything() -> ScanResult:
    result = a_remembered_result()
    assert result.history
    text = ExceptionText(rules=("r",), reason="R", owner="o", ticket="T", expires=NOW.date())
    closed = tuple(standing.case for standing in result.history.of(State.RESOLVED))
    return replace(
        result,
        findings=tuple(f._replace(exception=text) for f in result.findings),
        exceptions=(ExceptionTally(exception=text, active=True, excepted=1),),
        disabled=(DisabledRule(id="d", policy="mine", reason="R"),),
        history=replace(result.history, closed=closed),
    )


def test_no_format_shows_an_address_of_any_text_once_they_are_masked() -> None:
    result = addressed(a_result_with_everything())
    masked = without_addresses(result)
    assert [f.fingerprint for f in masked.findings] == [f.fingerprint for f in result.findings]
    assert masked.totals() == result.totals()
    for name in FORMATS:
        render = format_of(name)
        assert "hara" in render(result), name
        assert not re.search("secret|hara", render(masked)), name
    assert "s***@example.com" in render_json(masked)


def test_masking_leaves_what_holds_no_address_as_it_is() -> None:
    result = a_result_with_everything()
    plain = replace(
        result,
        findings=tuple(
            f._replace(owner_email=None, key=replace(f.key, owner=an_owner(email=None)))
            for f in result.findings
        ),
        history=None,
    )
    assert without_addresses(plain) == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("o'neil@corp.com", "o***@corp.com"),
        ('"john doe"@corp.com', "j***@corp.com"),
        ("is 'ada@x.com', bo@y.com", "is 'a***@x.com', b***@y.com"),
        ("用户@例子.公司", "用***@例子.公司"),
        ("mailto:<x@y@z.com>", "mailto:<x***@z.com>"),
        ('@team says "hello" at 5@', '@team says "hello" at 5@'),
    ],
)
def test_an_address_keeps_its_first_character_and_its_domain(text: str, expected: str) -> None:
    result = replace(a_remembered_result(), organization=text)
    assert without_addresses(result).organization == expected


@pytest.mark.slow
def test_a_scan_with_an_unknown_policy_file_requires_the_file(place: Path) -> None:
    record(a_store(str(place)), NOW, [], sources=())  # by `baseline` and `mine`
    refused = report(place)
    assert refused.code == 2
    assert ": mine." in refused.err
    assert "--policy FILE" in refused.err


@pytest.mark.slow
def test_reports_are_masked_and_the_history_is_not(place: Path, tmp_path: Path) -> None:
    store = a_store(str(place))
    remembered(store, NIGHTS[0], 0)
    path = tmp_path / "report.html"
    assert report(place, "--redact-emails", "--output", f"html={path}").code == 0
    assert "ada@example.com" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert report(place, "--output", f"html={path}").code == 0
    assert "ada@example.com" in path.read_text()
