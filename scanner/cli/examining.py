"""What `keyvigil doctor` looks at, but for the alerts: lines, whatever they say."""

import asyncio
import importlib.metadata
import platform
import sqlite3
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import typer

from scanner.checkup import WRITE_SCOPE, Check, answered, clock, ok, problem, unchecked
from scanner.cli.console import counted
from scanner.cli.outputs import read_outputs
from scanner.cli.scan import scan
from scanner.errors import CredentialError, KeyVigilError, OutputError, UsageError
from scanner.formats.files import check_writable
from scanner.inventory import Collection
from scanner.plan import OPTIONAL, Plan, make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.settings import Settings, StoreSettings, misspelt, read_settings
from scanner.wiring import look_at_store, probe_api

_PACKAGES: Final = ("httpx2", "slack-sdk", "sqlalchemy", "psycopg")
_PROXIES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_TRUST: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PRETENDED: Final = "sk-admin-pretended"


def attempted(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield what a look finds; what it raises is a problem of that name, and keeps no other."""
    try:
        yield from look()
    except KeyVigilError as error:
        yield problem(name, error)
    except Exception as error:  # noqa: BLE001 - one look among several: a bug, said plainly
        said = f"KeyVigil itself failed: {type(error).__name__}: {error}"
        yield problem(name, KeyVigilError(said, help="This is a bug; please report it."))


def versions() -> Iterator[Check]:
    """Tell what is running."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {package}")
    python = f"Python {platform.python_version()} on {platform.system()}"
    ours = f"keyvigil {importlib.metadata.version('keyvigil')}"
    yield ok("versions", f"{ours}, {python}, SQLite {sqlite3.sqlite_version}, {', '.join(found)}")


def names(environment: Mapping[str, str]) -> Iterator[Check]:
    """Tell every name that is nearly one of ours."""
    wrong = tuple(misspelt(environment))
    for name, near in wrong:
        error = UsageError(
            f"{name} is no setting, and has no effect.", help=f"Did you mean {near}?"
        )
        yield problem("environment", error)
    if not wrong:
        ours = sum(name.startswith("KEYVIGIL_") for name in environment)
        yield ok("environment", f"{counted(ours, 'variable')} KEYVIGIL_*, none misspelt")


def options() -> tuple[Check, dict[str, Any]]:
    """Read what the environment sets for `keyvigil scan`; return it, if it can be read."""
    app = typer.Typer(add_completion=False)
    app.command()(scan)
    try:
        context = typer.main.get_command(app).make_context("scan", [])
    except typer.TyperException as error:
        said = UsageError(error.format_message(), help="keyvigil scan --help says what it takes.")
        return problem("options", said), {}
    return ok("options", "the environment sets nothing that scan would not take"), context.params


def policies(named: Sequence[str]) -> tuple[Check, tuple[Policy, ...] | None]:
    """Read the policies."""
    try:
        read = load_policies(named)
    except KeyVigilError as error:
        return problem("policies", error), None
    rules = counted(sum(len(policy.rules) for policy in read), "rule")
    return ok("policies", f"{', '.join(policy.name for policy in read)}: {rules}"), read


def key(environment: Mapping[str, str]) -> tuple[tuple[Check, ...], Settings | None]:
    """Look at the admin key and the API's address, asking nobody."""
    of_key = ok("admin key", "OPENAI_ADMIN_KEY holds an admin key (sk-admin-...)")
    settings: Settings | None = None
    try:
        settings = read_settings(environment)
    except CredentialError as error:
        of_key = problem("admin key", error)
    except UsageError:
        pass  # the address, which is told below
    address = {**environment, "OPENAI_ADMIN_KEY": _PRETENDED}
    reached = attempted("connection", lambda: _connection(read_settings(address), environment))
    return (of_key, *reached), settings


def _connection(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    url = urlsplit(settings.base_url)
    host = url.hostname or ""
    if url.scheme == "http":
        yield ok("connection", f"{settings.base_url}: on this machine, without TLS and proxy")
        return
    trust = " and ".join(name for name in _TRUST if environment.get(name))
    proxy = next((name for name in _PROXIES if environment.get(name)), None)
    way = "directly"
    if proxy and not urllib.request.proxy_bypass(host):
        through = environment[proxy].rpartition("@")[2].rpartition("//")[2]
        way = f"through the proxy {through} ({proxy})"
    said = f"{settings.base_url}: over TLS, {way}"
    yield ok("connection", f"{said}, trusting {trust}" if trust else said)


def api(settings: Settings | None, plan: Plan | None) -> Iterator[Check]:
    """Ask each endpoint once; `plan` says which of them a scan asks."""
    probed = None
    why = "the admin key or the API's address is to be put right first"
    if settings is not None:
        try:
            probed = asyncio.run(probe_api(settings))
        except UsageError as error:
            yield problem("proxy and TLS", error)
            why = "the proxy or TLS settings are to be put right first"
    if probed is None:
        yield from (unchecked(name, why) for name in (*Collection, "clock"))
        return
    order = list(Collection)
    asked = sorted(probed.asked, key=lambda one: order.index(one.collection))
    for collection, ours in groupby(asked, attrgetter("collection")):
        yield answered(ours, unneeded=_unneeded(plan, collection))
    yield clock(probed.skew)


def _unneeded(plan: Plan | None, collection: Collection) -> str:
    if plan is None or collection not in OPTIONAL or plan.asks_for(collection):
        return ""
    return next(step.reason for step in plan.steps if step.collection is collection)


def changing() -> Iterator[Check]:
    """Say what only a change would tell."""
    yield unchecked(
        "changing keys",
        "whether the admin key may change keys is not tried: only a change would tell",
        f"A scan needs no more than to read; revoking needs the scope {WRITE_SCOPE}.",
    )


def history(settings: StoreSettings | None) -> Iterator[Check]:
    """Look whether the history can be read and written, and who is at it."""
    if settings is None:
        yield ok("history", "none is kept: nothing is compared, and nobody is told of changes")
        return
    looked = look_at_store(settings)
    if looked is None:
        path = Path(settings.place.reveal()).expanduser()
        check_writable(path)
        _try_to_write(path)
        yield ok("history", f"{path} is not there yet: the first scan makes it")
        return
    state = f"schema {looked.version}"
    if looked.version != looked.ours:
        state = f"schema {looked.version or 'none'}: the next scan brings it to {looked.ours}"
    yield ok("history", f"{looked.place} can be read and written, {state}")
    running = "; ".join(looked.running)
    yield ok("lock", f"a scan is running: {running}" if running else "no scan is running")


def outputs(named: Sequence[str], metrics: Path | None) -> Iterator[Check]:
    """Look whether each report can be written where it is to go."""
    for text in named:
        yield from attempted(f"output {text.partition('=')[0]}", partial(_output, text))
    if metrics is not None:
        yield from attempted("metrics", lambda: [_place("metrics", metrics)])
    if not named and metrics is None:
        yield ok("outputs", "none: the summary goes to the terminal")


def _output(text: str) -> Iterator[Check]:
    for name, path in read_outputs([text], None):
        yield _place(f"output {name}", path) if path else ok(f"output {name}", "goes to stdout")


def _place(name: str, path: Path) -> Check:
    check_writable(path)
    _try_to_write(path)
    folder = "" if path.absolute().parent.is_dir() else f"; the folder {path.parent} will be made"
    return ok(name, f"{path} can be written{folder}")


def _try_to_write(path: Path) -> None:
    """Write a file without a name where `path` will be; raise OutputError if that fails."""
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.",
            help="Free the disk, or name a file in a folder that you may write to.",
        ) from None


def plan_of(read: tuple[Policy, ...] | None, set_: Mapping[str, Any]) -> Plan | None:
    """Plan what a scan would ask for, as far as that can be known."""
    skip = [Collection(name) for name in set_.get("skip") or () if name in OPTIONAL]
    if read is None:
        return None
    return make_plan(read, everything=set_.get("collect") == "all", skip=skip)
