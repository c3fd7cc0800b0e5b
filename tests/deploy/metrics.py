"""What KeyVigil tells Prometheus: each metric's name and the labels that it has."""

_OF_AN_ORGANIZATION = {
    "keyvigil_alerts_pending": set(),
    "keyvigil_coverage_complete": {"collection"},
    "keyvigil_findings": {"severity", "rule"},
    "keyvigil_keys": set(),
    "keyvigil_last_run_timestamp_seconds": set(),
    "keyvigil_last_success_timestamp_seconds": set(),
    "keyvigil_projects": set(),
    "keyvigil_retries_total": set(),
    "keyvigil_revocations": {"state"},
    "keyvigil_scan_duration_seconds": set(),
    "keyvigil_undetermined": set(),
}
LABELS: dict[str, set[str]] = {
    **{name: labels | {"organization"} for name, labels in _OF_AN_ORGANIZATION.items()},
    "keyvigil_next_run_timestamp_seconds": set(),
    "keyvigil_runs_missed_total": set(),
    "keyvigil_runs_total": {"outcome"},
}
