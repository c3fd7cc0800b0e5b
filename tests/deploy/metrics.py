"""What KeyVigil tells Prometheus: each metric's name and the labels that it has."""

from scanner.formats.metrics_text import METRICS

LABELS: dict[str, set[str]] = {
    **{metric.name: {"organization", *metric.labels} for metric in METRICS},
    "keyvigil_next_run_timestamp_seconds": set(),
    "keyvigil_runs_missed_total": set(),
    "keyvigil_runs_total": {"outcome"},
}
