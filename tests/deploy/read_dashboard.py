"""Read a dashboard with Grafana's own types, and write it as they understood it, to stdout.

Run by the Python of tools.lock, not by the tests' own.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()
(path,) = sys.argv[1:]
dashboard = Dashboard.from_json(json.loads(Path(path).read_text()))
sys.stdout.write(JSONEncoder().encode(dashboard))
