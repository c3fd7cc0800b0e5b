"""One scan from start to end: collect, judge, conclude."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from scanner.judge import judge
from scanner.policy.model import Policy
from scanner.ports import Clock, Collector
from scanner.result import DisabledRule, ScanResult


def scan(
    collect: Collector, policies: Sequence[Policy], started_at: datetime, clock: Clock
) -> ScanResult:
    """Walk the organization and judge it as of `started_at`, the moment the walk began.

    Raise ApiError if the projects cannot be listed; what else could not be seen is in the result.
    """
    inventory = collect()
    judgement = judge(inventory, policies, started_at)
    return ScanResult(
        id=f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        started_at=started_at,
        finished_at=clock(),
        organization=inventory.organization,
        policies=tuple(policy.name for policy in policies),
        rules=judgement.rules,
        projects=len(inventory.projects),
        keys=len(inventory.keys),
        findings=judgement.findings,
        coverage=inventory.coverage,
        exceptions=judgement.exceptions,
        disabled=tuple(
            DisabledRule(id=rule_id, policy=policy.name, reason=reason)
            for policy in policies
            for rule_id, reason in policy.disabled.items()
        ),
    )
