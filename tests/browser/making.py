"""Results for the tests in a browser."""

from dataclasses import replace

from scanner.finding import ExceptionTally, ExceptionText, Outcome
from scanner.result import DisabledRule, ScanResult
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
            f._replace(outcome=Outcome.EXCEPTED, exception=text) if f is last else f
            for f in result.findings
        ),
        exceptions=tuple(
            ExceptionTally(exception=e, active=active, excepted=count)
            for e, active, count in tallies
        ),
        disabled=(DisabledRule(id="some-rule", policy="mine", reason="Not ours"),),
    )


def everything() -> ScanResult:
    """A history, gaps, what is undetermined, and exceptions."""
    return with_exceptions(a_remembered_result())
