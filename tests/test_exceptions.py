"""Exceptions only shrink, and only while they hold; steps only raise."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from scanner.finding import Judgement, Outcome
from scanner.inventory import Unknown
from scanner.judge import judge
from scanner.policy.parse import parse_policy
from tests.factories import NOW, a_key, a_mixed_inventory, ago, an_inventory

RULE = """\
policy: mine
rules:
  - id: old
    title: t
    severity: medium
    severity_when: { high: { idle: { over: 30d } }, critical: { expires: false } }
    violated_when: { age: { over: 90d } }
    why: w
    fix: f
"""
KEYS = (
    a_key(id="key_1", created_at=ago(days=91)),
    a_key(id="key_2", created_at=ago(days=91), last_used_at=ago(days=40)),
    a_key(id="key_3", created_at=ago(days=91), expires_at=None, last_used_at=ago(days=40)),
    a_key(id="key_4", created_at=ago(days=91), expires_at=Unknown(reason="not told")),
    a_key(id="key_5"),
)


def judged(when: str = "", expires: str = "2026-07-01") -> Judgement:
    exception = (
        f"exceptions:\n  - rule: old\n    when: {when}\n    reason: r\n    owner: o\n"
        f"    expires: {expires}\n"
    )
    policy = parse_policy(RULE + (exception if when else ""), "p.yaml")
    return judge(an_inventory(keys=KEYS), [policy], NOW)


def outcomes(judgement: Judgement) -> list[tuple[str, str, str]]:
    return [(f.key.id, f.outcome.value, f.severity.value) for f in judgement.findings]


def test_a_severity_rises_for_the_keys_that_call_for_it_and_for_no_unknown() -> None:
    assert outcomes(judged()) == [
        ("key_3", "violated", "critical"),
        ("key_2", "violated", "high"),
        ("key_1", "violated", "medium"),
        ("key_4", "violated", "medium"),
    ]


def test_an_exception_lets_its_keys_be_to_the_end_of_its_last_day() -> None:
    judgement = judged("{ key.id: [key_1, key_5] }", expires="2026-07-01")
    assert outcomes(judgement)[-1] == ("key_1", "excepted", "medium")
    (finding,) = (f for f in judgement.findings if f.outcome is Outcome.EXCEPTED)
    assert finding.exception is not None
    assert finding.exception.expires == date(2026, 7, 1)
    (tally,) = judgement.exceptions
    assert (tally.active, tally.excepted) == (True, 1)
    (rule,) = judgement.rules
    assert (rule.applied, rule.violated, rule.excepted, rule.undetermined) == (5, 3, 1, 0)


def test_an_expired_exception_excepts_nothing_and_is_told() -> None:
    judgement = judged("{ key.id: key_1 }", expires="2026-06-30")
    assert outcomes(judgement) == outcomes(judged())
    (tally,) = judgement.exceptions
    assert (tally.active, tally.excepted) == (False, 0)


def test_where_it_is_open_whether_an_exception_holds_the_finding_is_open() -> None:
    judgement = judged("{ expires_in: { under: 10d } }")
    finding = judgement.findings[-1]
    assert (finding.key.id, finding.outcome) == ("key_4", Outcome.UNDETERMINED)
    assert finding.reason == "not told"


def test_exceptions_are_counted_each_by_itself_by_place_and_not_by_words() -> None:
    rest = "reason: r, owner: o, expires: 2026-07-01 }"
    whens = ("{ key.id: key_1 }", "{ key.id: key_gone }", "{ key.id: [key_1, key_2] }")
    rows = ", ".join(f"{{ rule: old, when: {when}, {rest}" for when in (*whens, whens[0]))
    policy = parse_policy(f"{RULE}exceptions: [{rows}]\n", "p.yaml")
    judgement = judge(an_inventory(keys=KEYS), [policy], NOW)
    assert [tally.excepted for tally in judgement.exceptions] == [1, 0, 2, 1]
    excepted = [f for f in judgement.findings if f.outcome is Outcome.EXCEPTED]
    assert [f.key.id for f in excepted] == ["key_2", "key_1"]
    assert sum(rule.excepted for rule in judgement.rules) == 2
    assert excepted[0].exception is judgement.exceptions[2].exception


def test_an_exception_from_several_rules_counts_the_findings_of_all() -> None:
    other = RULE.partition("rules:\n")[2].replace("id: old", "id: older")
    exception = (
        "exceptions:\n  - { rule: [old, older], when: { key.id: key_1 }, reason: r, owner: o,"
        " expires: 2026-07-01 }\n"
    )
    policy = parse_policy(RULE + other + exception, "p.yaml")
    (tally,) = judge(an_inventory(keys=KEYS), [policy], NOW).exceptions
    assert tally.excepted == 2


@given(
    st.sampled_from(["key.id: key_1", "used: true", "expires: false", "expires_in: { over: 1d }"]),
    st.booleans(),
)
def test_an_exception_never_adds_a_violation(when: str, negated: bool) -> None:  # noqa: FBT001
    condition = f"{{ not: {{ {when} }} }}" if negated else f"{{ {when} }}"
    policies = [parse_policy(RULE, "p.yaml")]
    exception = (
        f"exceptions:\n  - rule: [old]\n    when: {condition}\n    reason: r\n    owner: o\n"
        "    expires: 2030-01-01\n"
    )
    excepting = [parse_policy(RULE + exception, "p.yaml")]
    for inventory in (an_inventory(keys=KEYS), a_mixed_inventory()):
        before, after = (judge(inventory, p, NOW).findings for p in (policies, excepting))
        assert {f.fingerprint for f in after} == {f.fingerprint for f in before}
        violated = {f.fingerprint for f in before if f.outcome is Outcome.VIOLATED}
        assert {f.fingerprint for f in after if f.outcome is Outcome.VIOLATED} <= violated
