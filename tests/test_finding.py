from scanner.judge import judge
from scanner.policy_files import load_policies
from scanner.severity import Severity
from tests.factories import NOW, a_key, ago, an_inventory


def test_a_fingerprint_depends_on_rule_and_key_alone() -> None:
    policies = load_policies(["baseline"])
    old = a_key(created_at=ago(days=100))
    older = a_key(created_at=ago(days=200), name="renamed", redacted_value="sk-...")
    (today,) = judge(an_inventory(keys=(old,)), policies, NOW).findings
    (tomorrow,) = judge(an_inventory(keys=(older,)), policies, NOW).findings
    assert today.fingerprint == tomorrow.fingerprint == "40a17571fb0dfa589eae827f589830b0"


def test_severities_rank_from_the_worst() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.MEDIUM,
        Severity.LOW,
        Severity.INFO,
    ]
