"""Connects the concrete parts; no other module names several of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, assert_never

from scanner.alert_settings import AlertSettings
from scanner.announcement import Route, Sink
from scanner.errors import UsageError
from scanner.inventory import Inventory
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.naming import Named, read_name, read_project_ids
from scanner.openai_api.pace import Pace
from scanner.openai_api.probe import Probed, probe
from scanner.plan import Plan
from scanner.ports import AlertSink, Progress
from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, SandboxApp
from scanner.sandbox.faults import Faults, FaultyApp
from scanner.sandbox.organization import SandboxOrganization
from scanner.sandbox.quirk import Quirk
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.sandbox.stories import demo_organization
from scanner.secret import Secret
from scanner.settings import Settings, StoreSettings

if TYPE_CHECKING:
    from scanner.alerts.slack_api import SlackApi
    from scanner.checkup import ClockReading
    from scanner.openai_api.revoker import ApiRevoker
    from scanner.store.history import SqlStore
    from scanner.store.locks import HeldLock
    from scanner.store.looking import Looked


_PATIENCE: Final = 2.0
"""Seconds that a request may still take after the collection was stopped."""


def now() -> datetime:
    """Return the current time in UTC: the Clock of every real scan."""
    return datetime.now(UTC)


async def collect_inventory(
    settings: Settings,
    plan: Plan,
    progress: Progress,
    begun: Callable[[Callable[[], None]], None] | None = None,
) -> Inventory:
    """Collect the organization of `settings`; raises as a Collector does.

    `begun` gets a function that ends the collection within two seconds, with a partial inventory.
    """
    pace = _pace(settings)
    if begun is not None:
        begun(partial(pace.end, _PATIENCE))
    async with _admin_client(settings, progress, pace) as client:
        return await ApiCollector(client, plan, progress).collect()


def make_revoker(settings: Settings) -> "ApiRevoker":
    """Make the revoker, which reads and changes one key at a time; a context that closes it."""
    from scanner.openai_api.revoker import ApiRevoker  # noqa: PLC0415 - few runs revoke

    client = AdminClient(
        settings.admin_key,
        base_url=settings.base_url,
        network=settings.network,
        pace=Pace(1),
    )
    return ApiRevoker(client)


async def name_organization(settings: Settings, progress: Progress) -> Named:
    """Return the API's name for the organization, and the first page of its projects.

    Raise ApiError if the API does not respond.
    """
    async with _admin_client(settings, progress, _pace(settings)) as client:
        return await read_name(client)


async def list_projects(settings: Settings, progress: Progress) -> frozenset[str]:
    """Return the ids of all projects; raise ApiError if they cannot be listed."""
    async with _admin_client(settings, progress, _pace(settings)) as client:
        return await read_project_ids(client)


def _pace(settings: Settings) -> Pace:
    """Make a pace for one organization: it does not wait for another one's limits."""
    return Pace(settings.concurrency, deadline=settings.deadline)


def _admin_client(settings: Settings, progress: Progress, pace: Pace) -> AdminClient:
    return AdminClient(
        settings.admin_key,
        base_url=settings.base_url,
        pace=pace,
        asks_again=progress.asks_again,
        network=settings.network,
    )


async def probe_api(settings: Settings) -> Probed:
    """Request each endpoint of a scan once; raise UsageError for TLS or proxy settings."""
    return await probe(settings.admin_key, settings.base_url, now, settings.network)


def look_at_store(settings: StoreSettings) -> "Looked | None":
    """Inspect the history without changing it; None if its file does not exist yet.

    Raise StoreError or UsageError.
    """
    from scanner.store.looking import look  # noqa: PLC0415 - SQLAlchemy is slow to import

    place = settings.place.reveal()
    return look(place, now) if _may_exist(place) else None


def read_clocks(settings: StoreSettings) -> "ClockReading | None":
    """Compare clocks and dates of the history; None if its file or its tables do not exist yet.

    Raise StoreError or UsageError.
    """
    from scanner.store import looking  # noqa: PLC0415 - SQLAlchemy is slow to import

    place = settings.place.reveal()
    return looking.read_clocks(place, now) if _may_exist(place) else None


def _may_exist(place: str) -> bool:
    """Return whether a history's file exists; True for a database server."""
    from scanner.store.database import file_of  # noqa: PLC0415 - SQLAlchemy is slow to import

    file = file_of(place)
    return file is None or file.exists()


def open_store(settings: StoreSettings, *, must_exist: bool = False) -> "SqlStore":
    """Open the history; create it unless it `must_exist`, and migrate it if needed.

    Raise StoreError or UsageError.
    """
    from scanner.store.database import open_database  # noqa: PLC0415 - SQLAlchemy is slow to import
    from scanner.store.history import SqlStore  # noqa: PLC0415
    from scanner.store.keeping import Keeping  # noqa: PLC0415

    keeping = Keeping(scans=settings.keep, snapshots=settings.keep_snapshots)
    database = open_database(settings.place.reveal(), must_exist=must_exist)
    return SqlStore(database, keeping=keeping, lease=settings.lease)


def read_locks(settings: StoreSettings) -> "tuple[HeldLock, ...]":
    """Return the locks of a history that are held, or whose end is implausibly late."""
    from scanner.store.database import open_database  # noqa: PLC0415 - SQLAlchemy is slow to import
    from scanner.store.locks import held_locks  # noqa: PLC0415

    with open_database(settings.place.reveal(), must_exist=True).reading() as connection:
        return held_locks(connection)


def release_lock(settings: StoreSettings, held: "HeldLock") -> bool:
    """Release a lock; return False if another holder has it now."""
    from scanner.store.database import open_database  # noqa: PLC0415 - SQLAlchemy is slow to import
    from scanner.store.locks import unlock  # noqa: PLC0415

    return unlock(open_database(settings.place.reveal(), must_exist=True), held)


def make_sinks(settings: AlertSettings, sleep: Callable[[float], None]) -> dict[str, AlertSink]:
    """Make the sink of each route, by its name; raise UsageError if a setting is missing."""
    from scanner.alerts.email import EmailSink  # noqa: PLC0415 - slow to import
    from scanner.alerts.slack import SlackSink  # noqa: PLC0415
    from scanner.alerts.slack_webhook import SlackWebhookSink  # noqa: PLC0415
    from scanner.alerts.webhook import WebhookSink  # noqa: PLC0415

    report = settings.report
    api = _slack(settings, sleep)

    def sink(route: Route) -> AlertSink:
        match route.sink:
            case Sink.SLACK | Sink.SLACK_OWNERS:
                if api is None:
                    raise UsageError(f"The route '{route.name}' needs a Slack bot token.")
                return SlackSink(route, api, clock=now, sleep=sleep, report=report)
            case Sink.SLACK_WEBHOOK:
                url = settings.addresses[route.name]
                return SlackWebhookSink(url, route, report=report, sleep=sleep)
            case Sink.WEBHOOK:
                url, secret = settings.addresses[route.name], settings.webhook_secret
                return WebhookSink(url, secret, route, clock=now, sleep=sleep)
            case Sink.EMAIL:
                if settings.mail is None:
                    raise UsageError(f"The route '{route.name}' needs a mail server.")
                return EmailSink(route, settings.mail, report=report)
            case _:
                assert_never(route.sink)

    return {route.name: sink(route) for route in settings.routes}


def slack_scopes(settings: AlertSettings, sleep: Callable[[float], None]) -> frozenset[str]:
    """Return the scopes of the Slack bot token; raise AlertError if Slack does not return them."""
    api = _slack(settings, sleep)
    return api.scopes() if api else frozenset()


def slack_channel(
    settings: AlertSettings, place: str, sleep: Callable[[float], None]
) -> Mapping[str, Any] | None:
    """Return Slack's record of a channel; None if it lists none of that name. Raise AlertError."""
    api = _slack(settings, sleep)
    return api.channel(place) if api else None


def reach_mail_server(settings: AlertSettings, route: Route) -> None:
    """Connect and log in without sending a message; raise AlertError if that fails."""
    from scanner.alerts.email import EmailSink  # noqa: PLC0415 - slow to import

    if settings.mail is not None:
        EmailSink(route, settings.mail, report="").reach()


def _slack(settings: AlertSettings, sleep: Callable[[float], None]) -> "SlackApi | None":
    from scanner.alerts.slack_api import SlackApi  # noqa: PLC0415
    from scanner.alerts.slack_transport import API  # noqa: PLC0415

    if settings.token is None:
        return None
    address = settings.slack_api or API
    return SlackApi(settings.token, clock=monotonic, sleep=sleep, base_url=address)


def demo_nights(count: int) -> Iterator[tuple[datetime, Settings]]:
    """Serve the demo organization as of each of the last `count` days, ending now.

    Yields the time of each scan and the settings that reach the organization.
    """
    today = now()
    for days_ago in reversed(range(count)):
        organization = demo_organization(int(today.timestamp()), days_ago)
        with serve_sandbox(organization) as settings:
            yield today - timedelta(days=days_ago), settings


@contextmanager
def serve_sandbox(
    organization: SandboxOrganization,
    port: int = 0,
    faults: Mapping[str, Faults] | None = None,
    scopes: frozenset[str] = ALL_SCOPES,
) -> Iterator[Settings]:
    """Serve an organization on loopback while the context lasts; yields settings that reach it.

    `faults` are by listing, as in FaultyApp.
    """
    app = SandboxApp(organization, keys={SANDBOX_KEY: scopes})
    with serving(FaultyApp(app, faults) if faults else app, port) as base_url:
        yield Settings(admin_key=Secret(SANDBOX_KEY), base_url=base_url)


def sandbox_organization(
    *, seed: int, projects: int, keys_per_project: int, quirks: Iterable[Quirk] = ()
) -> SandboxOrganization:
    """Make an organization of that size, as of now."""
    organization = seeded_organization(
        seed=seed,
        projects=projects,
        keys_per_project=keys_per_project,
        now=int(now().timestamp()),
    )
    organization.quirks = frozenset(quirks)
    return organization
