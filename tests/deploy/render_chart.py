"""Render a chart with Helm's own library: `render_chart.py CHART CASES.json`, the answer on stdout.

Run by the Python of tools.lock, not by the tests' own.
"""

import json
import sys
from pathlib import Path
from typing import Any

import helm_python


def answer(chart: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the files that one set of values leads to, or why it is refused."""
    with helm_python.Chart.load(chart) as loaded:
        try:
            loaded.validate_schema(values)
            return {"files": loaded.render(values, name="nightly", namespace="keyvigil")}
        except helm_python.HelmError as refusal:
            return {"refused": str(refusal)}


chart, cases = sys.argv[1:]
asked = json.loads(Path(cases).read_text())
said = {name: answer(chart, values) for name, values in asked.items()}
json.dump({"lint": helm_python.lint(chart)["messages"], "cases": said}, sys.stdout)
