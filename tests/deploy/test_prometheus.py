"""The alerts and the dashboard: they ask for metrics that there are, and fire when they should."""

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.commands import run, tried
from tests.conftest import ROOT, absent
from tests.deploy.metrics import LABELS

RULES = ROOT / "deploy" / "prometheus" / "keyvigil.rules.yaml"
CASES = Path(__file__).parent / "keyvigil.rules.test.yaml"
FILE = ROOT / "deploy" / "grafana" / "keyvigil.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]


def asked_by_panels() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


EXPRESSIONS = [*asked_by_panels(), *(alert["expr"] for alert in ALERTS)]


def metrics_in(expression: str) -> dict[str, set[str]]:
    """Return the metrics that an expression asks for, each with the labels it selects by."""
    found: dict[str, set[str]] = {}

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            labels = {matcher.name for matcher in node.matchers.matchers}
            found.setdefault(node.name, set()).update(labels)
        return True

    promql_parser.walk(promql_parser.parse(expression), pre_visit=visit)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_asks_for_what_there_is(expression: str) -> None:
    asked = metrics_in(expression)
    assert asked
    for name, labels in asked.items():
        assert labels <= LABELS[name], name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_grouped_by_is_a_label_of_what_is_asked_for(expression: str) -> None:
    labels = set().union(*(LABELS[name] for name in metrics_in(expression)))
    for group in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
        assert {one.strip() for one in group.split(",")} <= labels


def test_a_metric_that_there_is_not_is_found() -> None:
    assert metrics_in("rate(keyvigil_scans_total[1h]) > 0").keys() - LABELS.keys()


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for expression in asked_by_panels() for name in metrics_in(expression)}
    assert shown == LABELS.keys()


def test_its_legends_and_alerts_name_labels_that_there_are() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= set().union(*(LABELS[one] for one in metrics_in(target["expr"])))
    for alert in ALERTS:
        named = set(re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])))
        assert named <= set().union(*(LABELS[one] for one in metrics_in(alert["expr"])))


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        apart_across = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_down = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_across or apart_down
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_the_dashboard_is_of_no_instance() -> None:
    sources = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert sources == {"${datasource}"}
    assert "id" not in DASHBOARD


def not_understood(tools: Path, path: Path) -> list[str]:
    """Return what of a dashboard Grafana's own types do not know, by its place."""
    reader = Path(__file__).parent / "read_dashboard.py"
    understood = json.loads(run(tools / "python", reader, path, cwd=ROOT))
    return list(missing(json.loads(path.read_text()), understood, ""))


def missing(said: Any, understood: Any, place: str) -> Iterator[str]:
    if isinstance(said, dict):
        for name, value in said.items():
            if name not in understood:
                yield f"{place}/{name}"
            else:
                yield from missing(value, understood[name], f"{place}/{name}")
    elif isinstance(said, list):
        for number, (one, other) in enumerate(zip(said, understood, strict=True)):
            yield from missing(one, other, f"{place}/{number}")
    elif said != understood:
        yield place


@pytest.mark.slow
def test_grafana_understands_the_dashboard(tools: Path) -> None:
    assert not_understood(tools, FILE) == ["/templating/list/1/definition"]  # Grafana writes it too


@pytest.mark.slow
def test_a_misspelt_field_of_the_dashboard_is_found(tools: Path, tmp_path: Path) -> None:
    broken = tmp_path / "dashboard.json"
    broken.write_text(FILE.read_text().replace('"overrides"', '"overides"', 1))
    assert "/panels/0/fieldConfig/overides" in not_understood(tools, broken)


def test_every_alert_says_what_and_what_to_do() -> None:
    assert len({alert["alert"] for alert in ALERTS}) == len(ALERTS)
    for alert in ALERTS:
        assert alert["labels"].keys() == {"severity"}
        assert alert["annotations"].keys() == {"summary", "description"}


def test_the_guide_tells_of_every_alert() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    told = re.findall(r"^\| `(KeyVigil\w+)` \|", guide, re.MULTILINE)
    assert sorted(told) == sorted(alert["alert"] for alert in ALERTS)


def promtool(*question: str | Path) -> tuple[int, str]:
    if shutil.which("promtool") is None:
        absent("there is no promtool on this machine: Debian's package 'prometheus' has it")
    done = tried("promtool", *question, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_prometheus_takes_the_rules() -> None:
    assert promtool("check", "rules", RULES)[0] == 0


@pytest.mark.slow
def test_every_alert_fires_when_it_should_and_only_then() -> None:
    code, said = promtool("test", "rules", CASES)
    assert code == 0, said
    tried_out = {case["alertname"] for case in alert_cases() if case.get("exp_alerts")}
    assert tried_out == {alert["alert"] for alert in ALERTS}


def alert_cases() -> Iterator[dict[str, Any]]:
    for night in yaml.safe_load(CASES.read_text())["tests"]:
        yield from night["alert_rule_test"]


@pytest.mark.slow
@pytest.mark.parametrize("severity", ["critical", "high"])
def test_the_dashboard_shows_no_zero_after_a_scan_that_saw_nothing(
    tmp_path: Path, severity: str
) -> None:
    asked = next(one for one in asked_by_panels() if f'severity="{severity}"' in one)
    expression = asked.replace("$organization", ".*")
    nights = {
        "name": "a scan that found nothing of it, then one that failed",
        "interval": "1m",
        "input_series": [{"series": 'keyvigil_keys{organization="acme"}', "values": "7x9 stale"}],
        "promql_expr_test": [
            {"expr": expression, "eval_time": "9m", "exp_samples": [{"labels": "{}", "value": 0}]},
            {"expr": expression, "eval_time": "10m", "exp_samples": []},
        ],
    }
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump({"tests": [nights]}))
    code, said = promtool("test", "rules", tmp_path / "cases.yaml")
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "night"),
    [
        ("36 * 3600", "36000 * 3600", "no scan since"),
        ("[7d:15m]", "[1h:15m]", "a scan that fails"),
        ("          < on (organization)", "          > on (organization)", "a scan that fails"),
        ("last_over_time(keyvigil_alerts_pending[7d])", "keyvigil_alerts_pending", "a scan that f"),
    ],
)
def test_no_break_of_the_rules_goes_by_unseen(
    tmp_path: Path, old: str, new: str, night: str
) -> None:
    text = RULES.read_text()
    assert old in text
    (tmp_path / "rules.yaml").write_text(text.replace(old, new))
    cases = yaml.safe_load(CASES.read_text())
    cases["rule_files"] = ["rules.yaml"]
    cases["tests"] = [one for one in cases["tests"] if one["name"].startswith(night)]
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases))
    code, said = promtool("test", "rules", tmp_path / "cases.yaml")
    assert code != 0
    assert "alertname:" in said
