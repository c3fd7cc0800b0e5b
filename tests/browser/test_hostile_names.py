"""A thousand hostile strings in every text that strangers write: no dialog, no new element."""

from dataclasses import replace
from random import Random

import pytest

from scanner.display import visible
from scanner.finding import ExceptionTally, ExceptionText, Finding, Outcome, RuleText
from scanner.lifecycle import Case, State
from scanner.result import DisabledRule, ScanResult
from tests.browser.conftest import Open
from tests.browser.making import with_revocation
from tests.factories import NOW, a_remembered_result

pytestmark = pytest.mark.slow

ATTACKS = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "-->",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus=alert(1) '",
    "&lt;b&gt;&amp;&#60;script&#62;",
    "javascript:alert(1)",
    "{{7*7}} {% raw %} ${alert(1)} #{1}",
    "<a href=//evil.example>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example>",
    '<meta http-equiv=refresh content="0">',
    "</title><h1>",
    "</style></textarea></noscript></template>",
    "\u2028\u2029\u0000\u0007\x1b[31m",
    "\u202eevil\u202c\u2066\u2069",
    "שלום مرحبا",
    "👩‍👩‍👧‍👦🏴‍☠️é",
    "\\u003cscript\\u003e\\",
    "__proto__",
    "constructor",
    "%s %n %00",
    "\ud800",
)


def hostile(random: Random) -> str:
    return "".join(random.choices(ATTACKS, k=random.randint(1, 3)))


def attacked(finding: Finding, number: int, random: Random) -> Finding:
    owner = replace(finding.key.owner, name=hostile(random), id=hostile(random))
    key = replace(
        finding.key,
        id=f"{hostile(random)}{number}",
        name=hostile(random),
        redacted_value=hostile(random),
        owner=owner,
    )
    project = finding.project and replace(finding.project, id=hostile(random), name=hostile(random))
    evidence = tuple(
        row._replace(value=hostile(random), limit=hostile(random), source=hostile(random))
        for row in finding.evidence
    )
    rule = _attacked_rule(finding.rule, random)
    email = hostile(random)
    exempt = ExceptionText(
        rules=(hostile(random),),
        reason=hostile(random),
        owner=hostile(random),
        ticket=hostile(random),
        expires=NOW.date(),
    )
    return finding._replace(
        rule=rule,
        key=key,
        project=project,
        owner_email=email,
        evidence=evidence,
        exception=exempt if finding.outcome is Outcome.EXCEPTED else None,
    )


def _attacked_rule(rule: RuleText, random: Random) -> RuleText:
    return replace(
        rule,
        title=hostile(random),
        why=hostile(random),
        fix=hostile(random),
        controls=(hostile(random), hostile(random)),
        policy=hostile(random),
        reads=hostile(random),
    )


def _attacked_case(case: Case, random: Random) -> Case:
    return case._replace(
        rule=hostile(random),
        key_name=hostile(random),
        title=hostile(random),
        project_id=hostile(random),
        project_name=hostile(random),
        redacted_value=hostile(random),
        owner_id=hostile(random),
        owner_email=hostile(random),
        owner_name=hostile(random),
    )


def attacked_result(count: int) -> ScanResult:
    random = Random(1)  # noqa: S311 - the same strings in each run
    result = a_remembered_result()
    history = result.history
    assert history
    found = [attacked(random.choice(result.findings), n, random) for n in range(count)]
    found += [
        attacked(found[n]._replace(outcome=Outcome.EXCEPTED), count + n, random) for n in range(20)
    ]
    exceptions = [f.exception for f in found if f.exception]
    standings = tuple(
        standing._replace(case=_attacked_case(standing.case, random), reason=hostile(random))
        for standing in history.standings
    )
    closed = tuple(
        _attacked_case(standing.case, random)._replace(key_id=f"{hostile(random)}{n}")
        for n, standing in enumerate(history.of(State.RESOLVED))
    )
    tallies = tuple(
        replace(tally, rule=_attacked_rule(tally.rule, random)) for tally in result.rules
    )
    attacked_whole = replace(
        result,
        organization=hostile(random),
        findings=tuple(found),
        rules=tallies,
        policies=(hostile(random),),
        exceptions=tuple(ExceptionTally(exception=e, active=True, excepted=1) for e in exceptions),
        disabled=(
            DisabledRule(id=hostile(random), policy=hostile(random), reason=hostile(random)),
        ),
        coverage=tuple(
            replace(row, reason=hostile(random), request_id=hostile(random))
            for row in result.coverage
        ),
        history=replace(history, standings=standings, closed=closed),
    )
    return with_revocation(attacked_whole, hostile(random))


def test_a_thousand_hostile_strings_are_shown_and_nothing_else(open_report: Open) -> None:
    result = attacked_result(1000)
    opened = open_report(result)
    page = opened.page
    allowed = set(open_report(a_remembered_result()).page.evaluate(TAGS))
    names = [visible(finding.key.name or "unnamed") for finding in result.violations]
    shown: list[str] = []
    while True:
        page.evaluate("document.querySelectorAll('#table button.open').forEach(b => b.click())")
        shown += page.locator("#table button.open").evaluate_all(
            "all => all.map(b => b.textContent)"
        )
        assert set(page.evaluate(TAGS)) <= allowed | {"dl", "div", "dt", "dd"}
        if page.locator("#after").is_disabled():
            break
        page.locator("#after").click()
    assert sorted(shown) == sorted(names)
    assert page.locator("img, iframe, base, script:not([id])").count() == 1  # the page's script
    page.get_by_role("combobox", name="Owner").fill("<script>")
    page.get_by_label("Search").fill("</script><script>alert(1)</script>")
    assert opened.rows() > 0


TAGS = "[...document.querySelectorAll('*')].map(one => one.localName)"
