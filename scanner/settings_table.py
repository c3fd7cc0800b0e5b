"""Every setting, declared once: options, environment, file, schema and docs derive from it.

variables.py declares the settings that only the environment has.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from scanner import kinds
from scanner.collection import OPTIONAL, Collection
from scanner.formats.registry import FORMATS, OVERVIEW_FORMATS
from scanner.path_template import PLACEHOLDERS
from scanner.secret import Secret
from scanner.setting import Setting
from scanner.severity import Severity

_OF_A_RUN: Final = ("date", "time")
"""Placeholders in the path of a combined report, which has no single scan id or name."""
POLICIES: Final[Setting[tuple[str, ...]]] = Setting(
    name="policies",
    variable="KEYVIGIL_POLICY",
    flag="--policy",
    kind=kinds.policies(),
    default=("baseline",),
    help="Shipped policy or YAML file.",
    unset="baseline",
    example="[baseline, ./my-policy.yaml]",
)
OUTPUTS: Final[Setting[tuple[str, ...]]] = Setting(
    name="outputs",
    variable="KEYVIGIL_OUTPUT",
    flag="--output",
    kind=kinds.outputs(),
    default=(),
    help=f"Write a report as FORMAT to PATH. Formats: {', '.join(FORMATS)}. PATH - is stdout; it"
    f" may contain {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}.",
    unset="none",
    example="{ html: 'out/{organization}/{date}.html', json: 'out/{organization}/{date}.json' }",
)
COMBINED: Final[Setting[tuple[str, ...]]] = Setting(
    name="combined",
    variable="KEYVIGIL_COMBINED",
    flag="--combined",
    kind=kinds.outputs(OVERVIEW_FORMATS, _OF_A_RUN),
    default=(),
    help=f"Write one report of all organizations. Formats: {', '.join(OVERVIEW_FORMATS)}. PATH - is"
    f" stdout; it may contain {', '.join(f'{{{name}}}' for name in _OF_A_RUN)}.",
    unset="none",
    example="{ html: 'out/{date}.html', json: 'out/{date}.json' }",
)
FAIL_ON: Final[Setting[Severity | None]] = Setting(
    name="fail_on",
    variable="KEYVIGIL_FAIL_ON",
    flag="--fail-on",
    kind=kinds.choice(Severity, Severity, "SEVERITY"),
    default=None,
    help="Exit 1 if a violation has this severity or higher. Undetermined findings do not count.",
    unset="never",
    example="high",
)
COLLECT: Final[Setting[str]] = Setting(
    name="collect",
    variable="KEYVIGIL_COLLECT",
    flag="--collect",
    kind=kinds.choice(("needed", "all"), word="needed|all"),
    default="needed",
    help="Collect what the rules need, or everything.",
)
SKIP: Final[Setting[tuple[Collection, ...]]] = Setting(
    name="skip",
    variable="KEYVIGIL_SKIP",
    flag="--skip",
    kind=kinds.many(kinds.choice(OPTIONAL, Collection, "LISTING")),
    default=(),
    help=f"Do not collect this optional listing. Listings: {', '.join(OPTIONAL)}.",
    unset="none",
    example="[costs]",
)
DEADLINE: Final[Setting[float | None]] = Setting(
    name="deadline",
    variable="KEYVIGIL_DEADLINE",
    flag="--deadline",
    kind=kinds.number(0.01, 100_000, "MINUTES"),
    default=None,
    help="End the scan after this many minutes. Data not collected by then makes it incomplete.",
    unset="never",
    example="120",
)
REDACT: Final[Setting[bool]] = Setting(
    name="redact_emails",
    variable="KEYVIGIL_REDACT_EMAILS",
    flag="--redact-emails",
    kind=kinds.switch(),
    default=False,
    help="Mask e-mail addresses in reports and alerts. They become a***@example.com; the history"
    " keeps them.",
)
SNAPSHOT: Final[Setting[Path | None]] = Setting(
    name="snapshot",
    variable="KEYVIGIL_SNAPSHOT",
    flag="--snapshot",
    kind=kinds.template(),
    default=None,
    help="Write the collected data to PATH. --from evaluates it again; it contains names and"
    " addresses.",
    unset="none",
    example="'out/{organization}/{date}.snapshot'",
)
METRICS: Final[Setting[Path | None]] = Setting(
    name="metrics_textfile",
    variable="KEYVIGIL_METRICS_TEXTFILE",
    flag="--metrics-textfile",
    kind=kinds.template(("organization",)),
    default=None,
    help="Write metrics for node_exporter to PATH. Its textfile collector reads *.prom; PATH may"
    " contain {organization}. The file has mode 0644, as node_exporter is another user: it names no"
    " key, project or owner.",
    unset="none",
    example="'/var/lib/node_exporter/{organization}.prom'",
)
STORE: Final[Setting[Secret | None]] = Setting(
    name="store.url",
    variable="KEYVIGIL_STORE",
    flag="--store",
    kind=kinds.place(),
    default=None,
    help="History: SQLite file, URL or none. A URL is postgresql://...; env:NAME or file:PATH read"
    " it from a variable or a file.",
    unset="your state folder",
    example="history.db",
)
KEEP: Final[Setting[timedelta]] = Setting(
    name="store.keep",
    variable="KEYVIGIL_KEEP",
    flag="--keep",
    kind=kinds.duration(timedelta(days=1), timedelta(days=36_500)),
    default=timedelta(days=400),
    help="How long to keep scans and resolved findings.",
)
KEEP_SNAPSHOTS: Final[Setting[int]] = Setting(
    name="store.keep_snapshots",
    variable="KEYVIGIL_KEEP_SNAPSHOTS",
    flag="--keep-snapshots",
    kind=kinds.whole(0, 100_000),
    default=30,
    help="Number of scans whose collected data is kept. --from and report need it.",
)
LEASE: Final[Setting[int]] = Setting(
    name="store.lease",
    variable="KEYVIGIL_LEASE",
    flag="--lease",
    kind=kinds.whole(1, 100_000),
    default=30,
    help="Seconds until the lock of a crashed scan is released.",
)
ORGANIZATION: Final[Setting[str | None]] = Setting(
    name="organization",
    variable="KEYVIGIL_ORGANIZATION",
    flag="--organization",
    kind=kinds.prose(),
    default=None,
    help="Name of the organization in the history. Required if the API does not name it; ignored"
    " if keyvigil.yaml lists organizations.",
    unset="the API's name",
    example="acme",
)
BASE_URL: Final[Setting[str]] = Setting(
    name="http.base_url",
    variable="OPENAI_BASE_URL",
    flag="--base-url",
    kind=kinds.api_address(),
    default="https://api.openai.com/v1",
    help="Address of the API. It is https, or http on loopback.",
)
PROXY: Final[Setting[Secret | None]] = Setting(
    name="http.proxy",
    variable="KEYVIGIL_PROXY",
    flag="--proxy",
    kind=kinds.proxy(),
    default=None,
    help="Proxy to the API. Not used for http on loopback.",
    unset="HTTPS_PROXY and NO_PROXY",
    example="http://proxy.example.com:3128",
)
CA_BUNDLE: Final[Setting[Path | None]] = Setting(
    name="http.ca_bundle",
    variable="KEYVIGIL_CA_BUNDLE",
    flag="--ca-bundle",
    kind=kinds.path(),
    default=None,
    help="Trusted certificates, as a PEM file. They replace the system's certificates.",
    unset="SSL_CERT_FILE, or the system's",
    example="ca.pem",
)
TIMEOUT: Final[Setting[float]] = Setting(
    name="http.timeout",
    variable="KEYVIGIL_TIMEOUT",
    flag="--timeout",
    kind=kinds.number(1, 3600, "SECONDS"),
    default=45.0,
    help="Seconds until a request times out. The time includes the whole response.",
)
CONCURRENCY: Final[Setting[int]] = Setting(
    name="http.concurrency",
    variable="KEYVIGIL_CONCURRENCY",
    flag="--concurrency",
    kind=kinds.whole(1, 128),
    default=32,
    help="Maximum number of concurrent requests. Lower while the API is overloaded.",
)
PARALLEL: Final[Setting[int]] = Setting(
    name="parallel",
    variable="KEYVIGIL_PARALLEL",
    flag="--parallel",
    kind=kinds.whole(1, 32),
    default=1,
    help="Organizations scanned in parallel. 1: one after the other.",
)

HISTORY: Final = (STORE, KEEP, KEEP_SNAPSHOTS, LEASE)
CONNECTION: Final = (BASE_URL, PROXY, CA_BUNDLE, TIMEOUT, CONCURRENCY, DEADLINE)
SETTINGS: Final[tuple[Setting[Any], ...]] = (
    *(POLICIES, OUTPUTS, COMBINED, FAIL_ON, COLLECT, SKIP, DEADLINE, REDACT, SNAPSHOT, METRICS),
    PARALLEL,
    ORGANIZATION,
    *HISTORY,
    *CONNECTION[:-1],
)
SECTIONS: Final[Mapping[str, tuple[Setting[Any], ...]]] = {
    name: tuple(one for one in SETTINGS if one.name.startswith(f"{name}."))
    for name in ("store", "http")
}
