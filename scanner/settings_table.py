"""Every setting, declared once: from here come options, environment, file, schema and docs.

What only the environment may say stands in VARIABLES: secrets, and what stands in for the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
"""What the path of a report of many organizations may hold: they have no one id or name."""
POLICIES: Final[Setting[tuple[str, ...]]] = Setting(
    name="policies",
    variable="KEYVIGIL_POLICY",
    flag="--policy",
    kind=kinds.policies(),
    default=("baseline",),
    help="A shipped policy or a YAML file.",
    unset="baseline",
    example="[baseline, ./my-policy.yaml]",
)
OUTPUTS: Final[Setting[tuple[str, ...]]] = Setting(
    name="outputs",
    variable="KEYVIGIL_OUTPUT",
    flag="--output",
    kind=kinds.outputs(),
    default=(),
    help=f"Write a report: {', '.join(FORMATS)}. PATH - is stdout; a path may hold"
    f" {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}.",
    unset="none",
    example="{ html: 'out/{organization}/{date}.html', json: 'out/{organization}/{date}.json' }",
)
COMBINED: Final[Setting[tuple[str, ...]]] = Setting(
    name="combined",
    variable="KEYVIGIL_COMBINED",
    flag="--combined",
    kind=kinds.outputs(OVERVIEW_FORMATS, _OF_A_RUN),
    default=(),
    help=f"Write one report of all organizations, beside those of each: "
    f"{', '.join(OVERVIEW_FORMATS)}. PATH - is stdout; a path may hold"
    f" {', '.join(f'{{{name}}}' for name in _OF_A_RUN)}.",
    unset="none",
    example="{ html: 'out/{date}.html', json: 'out/{date}.json' }",
)
FAIL_ON: Final[Setting[Severity | None]] = Setting(
    name="fail_on",
    variable="KEYVIGIL_FAIL_ON",
    flag="--fail-on",
    kind=kinds.choice(Severity, Severity, "SEVERITY"),
    default=None,
    help="Exit 1 if there is a violation of this severity or worse (undetermined is none).",
    unset="never",
    example="high",
)
COLLECT: Final[Setting[str]] = Setting(
    name="collect",
    variable="KEYVIGIL_COLLECT",
    flag="--collect",
    kind=kinds.choice(("needed", "all"), word="needed|all"),
    default="needed",
    help="Ask for what the rules rest on, or for everything there is.",
)
SKIP: Final[Setting[tuple[Collection, ...]]] = Setting(
    name="skip",
    variable="KEYVIGIL_SKIP",
    flag="--skip",
    kind=kinds.many(kinds.choice(OPTIONAL, Collection, "LISTING")),
    default=(),
    help=f"Never ask for {', '.join(OPTIONAL)}.",
    unset="none",
    example="[costs]",
)
DEADLINE: Final[Setting[float | None]] = Setting(
    name="deadline",
    variable="KEYVIGIL_DEADLINE",
    flag="--deadline",
    kind=kinds.number(0.01, 100_000, "MINUTES"),
    default=None,
    help="End with what was seen after so many minutes, as an incomplete scan.",
    unset="never",
    example="120",
)
REDACT: Final[Setting[bool]] = Setting(
    name="redact_emails",
    variable="KEYVIGIL_REDACT_EMAILS",
    flag="--redact-emails",
    kind=kinds.switch(),
    default=False,
    help="Mask e-mail addresses in every report and alert, as a***@example.com; the history keeps"
    " them.",
)
SNAPSHOT: Final[Setting[Path | None]] = Setting(
    name="snapshot",
    variable="KEYVIGIL_SNAPSHOT",
    flag="--snapshot",
    kind=kinds.template(),
    default=None,
    help="Write what was seen, to be judged again later; it holds names and addresses.",
    unset="none",
    example="'out/{organization}/{date}.snapshot'",
)
METRICS: Final[Setting[Path | None]] = Setting(
    name="metrics_textfile",
    variable="KEYVIGIL_METRICS_TEXTFILE",
    flag="--metrics-textfile",
    kind=kinds.template(("organization",)),
    default=None,
    help="Write figures of this run for node_exporter's textfile collector, which reads *.prom; the"
    " path may hold {organization}. Everybody on this machine may read the file (mode 0644), as"
    " node_exporter is another user: it names no key, project or owner.",
    unset="none",
    example="'/var/lib/node_exporter/{organization}.prom'",
)
STORE: Final[Setting[Secret | None]] = Setting(
    name="store.url",
    variable="KEYVIGIL_STORE",
    flag="--store",
    kind=kinds.place(),
    default=None,
    help="Where the history is kept: a SQLite file, or postgresql://...; env:NAME or file:PATH say"
    " where that stands.",
    unset="your state folder",
    example="history.db",
)
KEEP: Final[Setting[timedelta]] = Setting(
    name="store.keep",
    variable="KEYVIGIL_KEEP",
    flag="--keep",
    kind=kinds.duration(timedelta(days=1), timedelta(days=36_500)),
    default=timedelta(days=400),
    help="How long scans and resolved findings are kept.",
)
KEEP_SNAPSHOTS: Final[Setting[int]] = Setting(
    name="store.keep_snapshots",
    variable="KEYVIGIL_KEEP_SNAPSHOTS",
    flag="--keep-snapshots",
    kind=kinds.whole(0, 100_000),
    default=30,
    help="How many scans keep what they saw, for --from.",
)
LEASE: Final[Setting[int]] = Setting(
    name="store.lease",
    variable="KEYVIGIL_LEASE",
    flag="--lease",
    kind=kinds.whole(1, 100_000),
    default=30,
    help="Seconds after which the lock of a scan that died is free.",
)
ORGANIZATION: Final[Setting[str | None]] = Setting(
    name="organization",
    variable="KEYVIGIL_ORGANIZATION",
    flag="--organization",
    kind=kinds.prose(),
    default=None,
    help="The name of the history. Needed where the API does not name the organization; without"
    " effect where the file lists organizations: each has its own.",
    unset="as the API calls it",
    example="acme",
)
BASE_URL: Final[Setting[str]] = Setting(
    name="http.base_url",
    variable="OPENAI_BASE_URL",
    flag="--base-url",
    kind=kinds.api_address(),
    default="https://api.openai.com/v1",
    help="Another address of the API; https, or http on loopback.",
)
PROXY: Final[Setting[Secret | None]] = Setting(
    name="http.proxy",
    variable="KEYVIGIL_PROXY",
    flag="--proxy",
    kind=kinds.proxy(),
    default=None,
    help="The proxy to the API; never used on loopback over plain http.",
    unset="HTTPS_PROXY and NO_PROXY",
    example="http://proxy.example.com:3128",
)
CA_BUNDLE: Final[Setting[Path | None]] = Setting(
    name="http.ca_bundle",
    variable="KEYVIGIL_CA_BUNDLE",
    flag="--ca-bundle",
    kind=kinds.path(),
    default=None,
    help="The certificates to trust, in PEM, instead of the usual ones.",
    unset="SSL_CERT_FILE, or the system's",
    example="ca.pem",
)
TIMEOUT: Final[Setting[float]] = Setting(
    name="http.timeout",
    variable="KEYVIGIL_TIMEOUT",
    flag="--timeout",
    kind=kinds.number(1, 3600, "SECONDS"),
    default=45.0,
    help="How many seconds a whole answer of the API may take.",
)
CONCURRENCY: Final[Setting[int]] = Setting(
    name="http.concurrency",
    variable="KEYVIGIL_CONCURRENCY",
    flag="--concurrency",
    kind=kinds.whole(1, 128),
    default=32,
    help="How many requests may be under way at once; fewer while the API is busy.",
)
PARALLEL: Final[Setting[int]] = Setting(
    name="parallel",
    variable="KEYVIGIL_PARALLEL",
    flag="--parallel",
    kind=kinds.whole(1, 32),
    default=1,
    help="The number of organizations that are scanned in parallel; 1: one after the other.",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What the environment alone says."""

    name: str
    help: str
    is_secret: bool = True


VARIABLES: Final = (
    Variable(name="OPENAI_ADMIN_KEY", help="The admin key, where the file lists no organizations."),
    Variable(name="KEYVIGIL_SLACK_TOKEN", help="The bot token of the app in Slack."),
    Variable(name="KEYVIGIL_SLACK_CHANNEL", help="The channel, without a file.", is_secret=False),
    Variable(name="KEYVIGIL_SLACK_WEBHOOK", help="An incoming webhook of Slack's."),
    Variable(name="KEYVIGIL_SLACK_API_URL", help="Slack's API, if elsewhere.", is_secret=False),
    Variable(name="KEYVIGIL_WEBHOOK_URL", help="A webhook of your own."),
    Variable(name="KEYVIGIL_WEBHOOK_SECRET", help="What signs it."),
    Variable(name="KEYVIGIL_SMTP_URL", help="The mail server."),
    Variable(name="KEYVIGIL_MAIL_FROM", help="From whom mail comes.", is_secret=False),
    Variable(name="KEYVIGIL_MAIL_TO", help="To whom, without a file.", is_secret=False),
    Variable(name="KEYVIGIL_REVOCATION", help="`off` beats the file.", is_secret=False),
    Variable(name="KEYVIGIL_CONFIG", help="The settings file, as `--config`.", is_secret=False),
    Variable(name="KEYVIGIL_PING_URL", help="Pinged when a scan begins, is done or fails."),
    Variable(
        name="KEYVIGIL_LOG_FORMAT",
        help="How messages are written, as `--log-format`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_CRON", help="When `keyvigil serve` scans, as `--cron`.", is_secret=False
    ),
    Variable(
        name="KEYVIGIL_TIME_ZONE", help="In which time zone, as `--time-zone`.", is_secret=False
    ),
    Variable(
        name="KEYVIGIL_LISTEN",
        help="Where `keyvigil serve` answers, as `--listen`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_REPORTS",
        help="The folder of reports it shows, as `--reports`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_REPORTS_TOKEN",
        help="The token for reports and metrics; 16 characters or more.",
    ),
    Variable(
        name="KEYVIGIL_ALLOW_HOST",
        help="Names under which metrics may be read without a token, as `--allow-host`.",
        is_secret=False,
    ),
    Variable(name="KEYVIGIL_DEBUG", help="`1` shows where a bug is.", is_secret=False),
)
NAMES: Final = tuple(
    name
    for name in (*(one.variable for one in SETTINGS), *(one.name for one in VARIABLES))
    if name.startswith("KEYVIGIL_")
)
