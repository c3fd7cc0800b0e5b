"""A plan as JSON: golden, and known when it was edited."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from scanner.formats.plan_json import render_plan
from scanner.revocation import Action, Held, Method, Mode, Plan, Promise
from scanner.severity import Severity
from tests.conftest import golden
from tests.factories import NOW, ago

ACTION = Action(
    key_id="key_1",
    key_name="<b>\u202eone",
    redacted_value="sk-proj-abcd...wxyz",
    project_id="proj_1",
    project="search",
    owner="ada@example.com",
    owner_email="",
    owners=(),
    method=Method.EXPIRE,
    expire_in=timedelta(days=7),
    due_at=ago(days=1),
    announced_at=ago(days=15),
    rule="key-too-old",
    severity=Severity.HIGH,
    fingerprint="0" * 32,
    evidence="200 days old, limit 90 days",
    checked=("is announced", "is not in use"),
)
PLAN = Plan(
    scan_id="20260701T030000Z-0a1b2c3d",
    organization="Acme",
    made_at=NOW,
    expires_at=NOW + timedelta(days=1),
    policies="0123456789abcdef",
    inventory="fedcba9876543210",
    due=(ACTION,),
    waiting=(ACTION._replace(key_id="key_2", due_at=NOW + timedelta(days=3)),),
    held=(
        Held(
            key_id="key_3",
            key_name="",
            project="",
            owner="",
            method=Method.DELETE,
            rule="key-too-old",
            fingerprint="1" * 32,
            promise=Promise(Mode.PLAN, Method.DELETE, timedelta(days=14), timedelta(days=7), "d"),
            reasons=("Key is protected", "Revocation notice not delivered yet"),
        ),
    ),
)


def test_a_plan_says_all_that_it_is() -> None:
    golden(Path(__file__).parent / "golden" / "plan.json", render_plan(PLAN))


def test_the_digest_covers_every_word() -> None:
    document: dict[str, Any] = json.loads(render_plan(PLAN))
    digest = document.pop("digest")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert digest == hashlib.sha256(canonical.encode()).hexdigest()
    other = json.loads(render_plan(replace(PLAN, due=(ACTION._replace(key_id="key_9"),))))
    assert other["digest"] != digest
