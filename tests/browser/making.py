"""Results for the tests in a browser."""

from dataclasses import replace
from datetime import timedelta

from scanner.finding import ExceptionTally, ExceptionText, Finding
from scanner.finding import Outcome as Judged
from scanner.receipt import Act, Intent, Outcome, Result, Revocation, Spared
from scanner.result import DisabledRule, ScanResult
from scanner.revocation import Action, Held, Method, Mode, Plan, Promise
from scanner.words import in_words
from tests.factories import (
    NOW,
    a_key,
    a_project,
    a_remembered_result,
    a_result,
    a_user,
    ago,
    an_inventory,
    an_owner,
    full_coverage,
)

OWNERS = [an_owner(id=f"user-{n}", name=name, email=None) for n, name in enumerate(("Bo", "Ann"))]


def many() -> ScanResult:
    """120 keys of two owners in two projects, each with one violation, one in ten with two."""
    keys = [
        a_key(
            id=f"key_{n:03}",
            name=f"worker {n:03}",
            owner=OWNERS[n % 2],
            project_id=f"proj_{n % 3 // 2 + 1}",
            expires_at=None,
            created_at=ago(days=100 + n if n % 10 == 0 else 10),
        )
        for n in range(120)
    ]
    projects = (a_project(name="api"), a_project(id="proj_2", name="web"))
    users = tuple(a_user(id=f"user-{n}") for n in range(len(OWNERS)))
    return a_result(
        an_inventory(
            keys=keys, projects=projects, users=users, coverage=full_coverage("proj_1", "proj_2")
        )
    )


def with_exceptions(result: ScanResult) -> ScanResult:
    """Let the last violation be; one more exception is without effect, and one has expired."""
    last = result.violations[-1]
    text = ExceptionText(
        rules=(last.rule.id,),
        reason="A vendor's appliance",
        owner="platform@example.com",
        ticket="SEC-1",
        expires=NOW.date(),
    )
    others = replace(text, reason="Nothing like it"), replace(text, expires=ago(days=9).date())
    tallies = [(text, True, 1), (others[0], True, 0), (others[1], False, 0)]
    return replace(
        result,
        findings=tuple(
            f._replace(outcome=Judged.EXCEPTED, exception=text) if f is last else f
            for f in result.findings
        ),
        exceptions=tuple(
            ExceptionTally(exception=e, active=active, excepted=count)
            for e, active, count in tallies
        ),
        disabled=(DisabledRule(id="some-rule", policy="mine", reason="Not ours"),),
    )


def with_revocation(result: ScanResult, refusal: str = "too many are due") -> ScanResult:
    """Let some violations be revoked, some not as planned, some soon, and some not at all."""
    actions = [_action(finding) for finding in result.violations[:6]]
    held = [
        Held(
            key_id=action.key_id,
            key_name=action.key_name,
            project=action.project,
            owner=action.owner,
            method=action.method,
            rule=action.rule,
            fingerprint=action.fingerprint,
            promise=Promise(Mode.ENFORCE, action.method, timedelta(days=7), timedelta(days=7), "d"),
            reasons=("Key is protected", action.owner),
        )
        for action in actions
    ]
    plan = Plan(
        scan_id=result.id,
        organization="Acme",
        made_at=NOW,
        expires_at=NOW,
        policies="",
        inventory="",
        due=tuple(actions[:1]),
        waiting=tuple(actions),
        held=tuple(held),
        refusal=refusal,
    )
    acts = tuple(
        _act(action, outcome) for action, outcome in zip(actions, (*Result, None), strict=False)
    )
    revocation = Revocation(
        mode=Mode.ENFORCE,
        plan=plan,
        acts=acts,
        spared=tuple(Spared(action, action.evidence) for action in actions[:1]),
    )
    return replace(result, revocation=revocation)


def _action(finding: Finding) -> Action:
    return Action(
        key_id=finding.key.id,
        key_name=finding.key.name or "",
        redacted_value=finding.key.redacted_value,
        project_id=finding.key.project_id or "",
        project=(finding.project and finding.project.name) or "",
        owner=finding.owner_email or "",
        owner_email=finding.owner_email or "",
        owners=(),
        method=Method.EXPIRE,
        expire_in=timedelta(days=7),
        due_at=NOW,
        announced_at=NOW,
        rule=finding.rule.id,
        severity=finding.severity,
        fingerprint=finding.fingerprint,
        evidence="; ".join(map(in_words, finding.evidence)),
        checked=(),
    )


def _act(action: Action, result: Result | None) -> Act:
    intent = Intent(
        receipt="20260701T030000Z-0a1b2c3d",
        organization="Acme",
        at=NOW,
        by="cron",
        method=action.method,
        key_id=action.key_id,
        key_name=action.key_name,
        redacted_value=action.redacted_value,
        project_id=action.project_id,
        project=action.project,
        owner=action.owner,
        fingerprint=action.fingerprint,
        evidence=action.evidence,
    )
    if result is None:
        return Act(intent, None)
    ended = Outcome(receipt=intent.receipt, at=NOW, result=result, note=action.key_name)
    return Act(intent, ended)


def everything() -> ScanResult:
    """A history, gaps, what is undetermined, exceptions, and revocations."""
    return with_revocation(with_exceptions(a_remembered_result()))
