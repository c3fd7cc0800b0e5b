"""What KeyVigil tells Prometheus: each metric's name and the labels that it has."""

from scanner.daemon.metrics import LABELS as OF_THE_DAEMON
from scanner.formats.metrics_text import METRICS

LABELS: dict[str, set[str]] = {
    **{metric.name: {"organization", *metric.labels} for metric in METRICS},
    **{name: set(labels) for name, labels in OF_THE_DAEMON.items()},
}
