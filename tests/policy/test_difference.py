"""What a change of the policy would change, finding by finding."""

from scanner.finding import Finding
from scanner.judge import judge
from scanner.policy.difference import compare
from scanner.policy.parse import parse_policy
from tests.factories import NOW, a_key, ago, an_inventory

KEYS = (
    a_key(id="key_old", created_at=ago(days=100)),
    a_key(id="key_older", created_at=ago(days=200)),
    a_key(id="key_vendor", created_at=ago(days=200)),
)
RULE = """
policy: p
rules:
  - {{ id: old, title: t, severity: {severity}, why: w, fix: f,
      violated_when: {{ age: {{ over: {limit} }} }} }}
"""
EXCEPTION = """
exceptions:
  - { rule: old, when: { key.id: key_vendor }, reason: r, owner: o, expires: 2030-01-01 }
"""


def findings(text: str) -> tuple[Finding, ...]:
    return judge(an_inventory(keys=KEYS), [parse_policy(text, "p.yaml")], NOW).findings


def test_each_finding_that_comes_out_otherwise_is_told_and_no_other() -> None:
    before = findings(RULE.format(severity="low", limit="90d"))
    after = findings(RULE.format(severity="high", limit="150d") + EXCEPTION)
    assert [(c.finding.key.id, c.before, c.after) for c in compare(before, after)] == [
        ("key_older", "low", "high"),
        ("key_vendor", "low", "excepted"),
        ("key_old", "low", ""),
    ]
    assert compare(before, before) == ()
