"""/metrics can be parsed by Prometheus's parser, even with invalid metrics files of scans."""

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scanner.daemon.joining import joined
from scanner.daemon.metrics import OWN, Metrics
from scanner.daemon.outcome import Outcome
from tests.daemon.running import samples

AT = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
FILE = """\
# HELP keyvigil_keys Keys seen.
# TYPE keyvigil_keys gauge
keyvigil_keys 205
# TYPE keyvigil_violations gauge
keyvigil_violations{severity="high",rule="a \\"b\\" \\\\ c"} 1.5e+01
keyvigil_scan_seconds_sum 12.5 1395066363000
keyvigil_nothing NaN
keyvigil_most +Inf
"""


def test_every_outcome_has_a_counter_from_the_start() -> None:
    metrics = Metrics()
    metrics.clocks(0)
    found = samples(metrics.render(AT))
    runs = {f"keyvigil_runs_total{{{outcome}}}": 0.0 for outcome in Outcome}
    del runs["keyvigil_runs_total{skipped}"]
    assert found == {
        **runs,
        "keyvigil_runs_missed_total": 0,
        "keyvigil_runs_skipped_total": 0,
        "keyvigil_next_run_timestamp_seconds": AT.timestamp(),
        "keyvigil_settings_reload_success": 1,
        "keyvigil_clock_problems": 0,
    }


def test_the_outcomes_of_runs_are_counted() -> None:
    metrics = Metrics()
    for outcome in (Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.SKIPPED):
        metrics.ran(outcome)
    metrics.skipped()
    metrics.missed(3)
    metrics.reloaded(is_valid=False)
    found = samples(metrics.render(None))
    assert found["keyvigil_runs_total{done}"] == 2
    assert found["keyvigil_runs_total{failed}"] == 1
    assert found["keyvigil_runs_skipped_total"] == 2
    assert found["keyvigil_runs_missed_total"] == 3
    assert found["keyvigil_settings_reload_success"] == 0
    next_run = found["keyvigil_next_run_timestamp_seconds"]
    assert next_run != next_run  # noqa: PLR0124 - not a number


def test_clock_problems_are_counted_and_not_a_number_while_unknown() -> None:
    metrics = Metrics()
    assert math.isnan(samples(metrics.render(AT))["keyvigil_clock_problems"])
    metrics.clocks(2)
    assert samples(metrics.render(AT))["keyvigil_clock_problems"] == 2
    metrics.clocks(None)
    assert math.isnan(samples(metrics.render(AT))["keyvigil_clock_problems"])


def test_the_metrics_file_of_a_scan_is_joined(tmp_path: Path) -> None:
    path = tmp_path / "scan.prom"
    path.write_text(FILE)
    text = Metrics().render(AT, [path])
    assert text.endswith(FILE)
    found = samples(text)
    assert found["keyvigil_keys"] == 205
    assert found["keyvigil_metrics_textfile_success"] == 1


def test_a_missing_metrics_file_is_skipped(tmp_path: Path) -> None:
    found = samples(Metrics().render(AT, [tmp_path / "scan.prom"]))
    assert found["keyvigil_metrics_textfile_success"] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"keyvigil_keys",
        b"keyvigil_keys two\n",
        b'keyvigil_keys{severity="high} 1\n',
        b"keyvigil_keys 1\n<html>\n",
        b"1keys 1\n",
        b"\xff\xfe",
        b"keyvigil_keys 1\n\x00\n",
        b"# \n" * 2_000_000,
    ],
)
def test_an_invalid_metrics_file_is_skipped_and_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scan.prom"
    path.write_bytes(content)
    found = samples(Metrics().render(AT, [path]))
    assert found["keyvigil_metrics_textfile_success"] == 0
    assert "keyvigil_keys" not in found
    assert found["keyvigil_runs_total{done}"] == 0


def test_a_folder_is_not_a_metrics_file(tmp_path: Path) -> None:
    assert samples(Metrics().render(AT, [tmp_path]))["keyvigil_metrics_textfile_success"] == 0


def test_the_daemons_own_metrics_are_not_joined_again() -> None:
    text = (
        '# TYPE keyvigil_runs_total counter\nkeyvigil_runs_total{outcome="done"} 7\nmine 1\n# EOF\n'
    )
    assert list(joined([text], OWN)) == ["mine 1"]


def test_the_metrics_of_several_files_are_grouped_by_name(tmp_path: Path) -> None:
    head = "# HELP keyvigil_keys Keys.\n# TYPE keyvigil_keys gauge\n"
    for name in ("a", "b"):
        lines = f'keyvigil_keys{{organization="{name}"}} 2\n# TYPE other counter\nother_total 1\n'
        (tmp_path / name).write_text(f"{head}{lines}")
    text = Metrics().render(AT, [tmp_path / "a", tmp_path / "b", tmp_path / "none"])
    assert text.endswith(
        head
        + 'keyvigil_keys{organization="a"} 2\nkeyvigil_keys{organization="b"} 2\n'
        + "# TYPE other counter\nother_total 1\n"
    )
    assert samples(text)["keyvigil_metrics_textfile_success"] == 1
    (tmp_path / "b").write_text("broken")
    found = samples(Metrics().render(AT, [tmp_path / "a", tmp_path / "b"]))
    assert (found["keyvigil_keys{a}"], found["keyvigil_metrics_textfile_success"]) == (2, 0)
