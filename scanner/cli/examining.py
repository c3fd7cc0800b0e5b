"""The checks of `keyvigil doctor`, except those of settings and alerts."""

import asyncio
import importlib.metadata
import platform
import sqlite3
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from scanner.checkup import (
    Check,
    State,
    answered,
    clock,
    clock_problems,
    ok,
    organization,
    problem,
    unchecked,
)
from scanner.cli.console import counted
from scanner.cli.job import Job, metrics_of
from scanner.cli.outputs import read_combined, read_outputs
from scanner.cli.run import Output
from scanner.collection import OPTIONAL, WRITE_SCOPE, Collection
from scanner.errors import CredentialError, KeyVigilError, SecretUnavailable, UsageError
from scanner.formats.files import check_writable, try_to_write
from scanner.plan import Plan, make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.proxies import check_environment_proxies
from scanner.setting import Chosen
from scanner.settings import ADMIN_KEY, Settings, StoreSettings, misspelt, read_settings
from scanner.settings_table import COLLECT, COMBINED, OUTPUTS, SKIP
from scanner.wiring import look_at_store, probe_api

SCAN_HELP: Final = "List the valid values with keyvigil scan --help."
_PACKAGES: Final = ("httpx2", "slack-sdk", "sqlalchemy", "psycopg")
_PROXIES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_TRUST: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PRETENDED: Final = "sk-admin-pretended"


def attempted(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield the checks of `look`; an exception becomes a problem and stops no other check."""
    try:
        yield from look()
    except KeyVigilError as error:
        yield problem(name, error)
    except Exception as error:  # noqa: BLE001 - one check among several: a visible result
        said = f"KeyVigil itself failed: {type(error).__name__}: {error}"
        yield problem(name, KeyVigilError(said, help="Report this bug."))


def versions() -> Iterator[Check]:
    """Return the versions of KeyVigil and its main dependencies."""
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
    """Check for environment variables whose names resemble a setting of KeyVigil."""
    wrong = tuple(misspelt(environment))
    for name, near in wrong:
        error = UsageError(
            f"{name} is not a known setting and has no effect.", help=f"Did you mean {near}?"
        )
        yield problem("environment", error)
    if not wrong:
        ours = sum(name.startswith("KEYVIGIL_") for name in environment)
        yield ok("environment", f"{counted(ours, 'variable')} KEYVIGIL_*, none misspelt")


def policies(named: Sequence[str]) -> tuple[Check, tuple[Policy, ...] | None]:
    """Check and return the policies."""
    try:
        read = load_policies(named)
    except KeyVigilError as error:
        return problem("policies", error), None
    rules = counted(sum(len(policy.rules) for policy in read), "rule")
    return ok("policies", f"{', '.join(policy.name for policy in read)}: {rules}"), read


def key(
    job: Job, environment: Mapping[str, str], *, has_way: bool
) -> tuple[tuple[Check, ...], Settings | None]:
    """Check the admin key and the connection settings, without any request.

    Without valid connection settings (`has_way`), which another check reports, return no settings.
    """
    said = f"{job.key or ADMIN_KEY} contains an admin key (sk-admin-...)"
    of_key = ok("admin key", said)
    settings: Settings | None = None
    try:
        settings = read_settings(job.chosen, environment, job.key)
    except (CredentialError, SecretUnavailable) as error:
        of_key = problem("admin key", error)
    if not has_way:
        return (of_key,), None
    pretended = read_settings(job.chosen, {ADMIN_KEY: _PRETENDED})
    reached = tuple(attempted("connection", lambda: _connection(pretended, environment)))
    is_usable = all(check.state is State.OK for check in reached)
    return (of_key, *reached), settings if is_usable else None


def _connection(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    url = urlsplit(settings.base_url)
    if url.scheme == "http":
        yield ok("connection", f"{settings.base_url}: this machine, without TLS and proxy")
        return
    check_environment_proxies()
    trust = " and ".join(name for name in _TRUST if environment.get(name))
    if settings.network.ca_bundle:
        trust = f"{settings.network.ca_bundle}"
    proxy = _proxy(settings, url.hostname or "", environment)
    said = f"{settings.base_url}: TLS, {proxy or 'no proxy'}"
    yield ok("connection", f"{said}, certificates from {trust}" if trust else said)


def _proxy(settings: Settings, host: str, environment: Mapping[str, str]) -> str:
    """Return the proxy in use, without its user and password; "" if none."""
    if settings.network.proxy:
        return f"proxy {_host(settings.network.proxy.reveal())} (http.proxy)"
    name = next((name for name in _PROXIES if environment.get(name)), None)
    if name is None or urllib.request.proxy_bypass(host):
        return ""
    return f"proxy {_host(environment[name])} ({name})"


def _host(proxy: str) -> str:
    return proxy.rpartition("@")[2].rpartition("//")[2]


def api(settings: Settings | None, plan: Plan | None, name: str | None) -> Iterator[Check]:
    """Request each endpoint once; `plan` shows which of them a scan requests.

    `name` is the name of the organization in the settings.
    """
    probed = None
    why = "requires a valid admin key and API address"
    if settings is not None:
        try:
            probed = asyncio.run(probe_api(settings))
        except UsageError as error:
            yield problem("proxy and TLS", error)
            why = "requires valid proxy and TLS settings"
    if probed is None:
        yield from (unchecked(one, why) for one in (*Collection, "clock"))
        yield organization(name, is_named=None)
        return
    order = list(Collection)
    asked = sorted(probed.asked, key=lambda one: order.index(one.collection))
    for collection, ours in groupby(asked, attrgetter("collection")):
        yield answered(ours, unneeded=_unneeded(plan, collection))
    yield clock(probed.skew)
    yield organization(name, is_named=probed.is_named)


def _unneeded(plan: Plan | None, collection: Collection) -> str:
    if plan is None or collection not in OPTIONAL or plan.asks_for(collection):
        return ""
    return next(step.reason for step in plan.steps if step.collection is collection)


def changing() -> Iterator[Check]:
    """Return the permission to change keys as not checked."""
    yield unchecked(
        "changing keys",
        "the permission to change keys can be tested only by changing one",
        f"For revocation, give the admin key the scope {WRITE_SCOPE}. Scans only read.",
    )


def history(settings: StoreSettings | None) -> Iterator[Check]:
    """Check that the history can be read and written, and whether a scan is running."""
    if settings is None:
        yield ok("history", "disabled: scans are not compared, and no alerts are sent")
        return
    looked = look_at_store(settings)
    if looked is None:
        path = Path(settings.place.reveal()).expanduser()
        check_writable(path)
        try_to_write(path)
        yield ok("history", f"{path} does not exist yet; the first scan will create it")
        return
    if "://" not in looked.place:
        try_to_write(Path(looked.place))  # SQLite reports a full disk only after a commit
    state = f"schema {looked.version}"
    if looked.version != looked.ours:
        state = f"schema {looked.version or 'none'}; the next scan will upgrade it to {looked.ours}"
    yield ok("history", f"{looked.place} can be read and written, {state}")
    if looked.clocks:
        yield from clock_problems(looked.clocks)
    running = "; ".join(looked.running)
    yield ok("lock", f"a scan is running: {running}" if running else "no scan is running")


def outputs(job: Job) -> Iterator[Check]:
    """Check that each report of a job can be written."""
    texts, metrics = job.chosen[OUTPUTS], metrics_of(job)
    for text in texts:
        name = f"output {text.partition('=')[0]}"
        yield from attempted(name, partial(_output, text, job.name))
    if metrics is not None:
        yield from attempted("metrics", lambda: [_place("metrics", metrics)])
    if not texts and metrics is None:
        yield ok("outputs", "none; scans print a summary only")


def combined(chosen: Chosen) -> Iterator[Check]:
    """Check that each combined report can be written."""
    if chosen[COMBINED]:
        yield from attempted("combined", lambda: _places("combined", read_combined(chosen)))


def _output(text: str, organization: str | None) -> Iterator[Check]:
    try:
        outputs = read_outputs([text], None, organization)
    except UsageError as error:
        raise UsageError(str(error), help=error.help or SCAN_HELP) from None
    yield from _places("output", outputs)


def _places(what: str, outputs: Iterable[Output]) -> Iterator[Check]:
    for name, path in outputs:
        yield _place(f"{what} {name}", path) if path else ok(f"{what} {name}", "written to stdout")


def _place(name: str, path: Path) -> Check:
    check_writable(path)
    try_to_write(path)
    is_new = not path.absolute().parent.is_dir()
    folder = f"; the folder {path.parent} will be created" if is_new else ""
    return ok(name, f"{path} can be written{folder}")


def plan_of(read: tuple[Policy, ...] | None, chosen: Chosen) -> Plan | None:
    """Return the collection plan of a scan, or None if the policies could not be read."""
    if read is None:
        return None
    return make_plan(read, everything=chosen[COLLECT] == "all", skip=chosen[SKIP])
