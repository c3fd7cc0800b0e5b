"""The Compose file: judged by the Compose specification's schema and by our wants."""

import copy
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner.settings_file import read_settings_file
from tests.commands import tried
from tests.conftest import ROOT
from tests.deploy.manifests import SECRETS, is_pinned
from tests.support.waiting import PATIENCE

FILE = ROOT / "deploy" / "compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]


def complaints(service: dict[str, Any]) -> list[str]:
    wanted = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
    }
    found = [name for name, value in wanted.items() if service.get(name) != value]
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", service.get("user", "")):
        found.append("user")
    found += [one for one in ("healthcheck", "mem_limit", "pids_limit") if one not in service]
    found += [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
    if not is_pinned(service["image"]):
        found.append("image")
    for name, value in service.get("environment", {}).items():
        if name in SECRETS and not re.search(r"\$\{[A-Z_]+:\?", value):
            found.append(name)
    return found


def is_valid(path: Path) -> bool:
    reader = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    return tried(*reader, path, cwd=ROOT).returncode == 0


def test_it_is_what_the_specification_wants() -> None:
    assert is_valid(FILE)


def test_a_misspelt_field_goes_by_neither(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(FILE.read_text().replace("read_only:", "readonly:"))
    assert not is_valid(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_as_we_want_it(name: str) -> None:
    assert complaints(SERVICES[name]) == []


BREAKS: list[Callable[[dict[str, Any]], object]] = [
    lambda it: it.pop("read_only"),
    lambda it: it.update(cap_drop=["NET_RAW"]),
    lambda it: it.pop("security_opt"),
    lambda it: it.update(user="0:0"),
    lambda it: it.pop("user"),
    lambda it: it.update(ports=["8080:8080"]),
    lambda it: it.update(image="keyvigil"),
    lambda it: it["environment"].update(OPENAI_ADMIN_KEY="sk-admin-x"),
    lambda it: it["environment"].update(KEYVIGIL_STORE="postgresql://keyvigil:pw@postgres/x"),
    lambda it: it.pop("healthcheck"),
    lambda it: it.pop("mem_limit"),
]


@pytest.mark.parametrize("number", range(len(BREAKS)))
def test_no_break_goes_by_unseen(number: int) -> None:
    service = copy.deepcopy(SERVICES["keyvigil"])
    BREAKS[number](service)
    assert complaints(service)


def test_what_it_names_is_there() -> None:
    build = SERVICES["keyvigil"]["build"]
    assert (FILE.parent / build["context"] / build["dockerfile"]).is_file()
    settings, _ = SERVICES["keyvigil"]["volumes"][0].split(":", 1)
    read_settings_file(FILE.parent / settings)
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", FILE.read_text()))
    example = (FILE.parent / "env.example").read_text()
    assert asked == set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE))
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(("status", "health"), [(200, 0), (503, 1)])
def test_its_question_for_health_hears_the_answer(status: int, health: int) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    kind, python, *question = SERVICES["keyvigil"]["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = [one.replace("8080", str(server.server_port)) for one in question]
        asked = subprocess.run([sys.executable, *here], timeout=PATIENCE, check=False)  # noqa: S603
        server.shutdown()
    assert asked.returncode == health
