"""Simulated scans that revoke: a served sandbox, a history, a simulated clock, and faults."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from unittest.mock import patch

import httpx2

from scanner.announcement import Delivery, Route, Sink
from scanner.cli.memory import Memory
from scanner.cli.recording import alerts_of
from scanner.cli.revoking import scene_of, with_plan
from scanner.cli.telling import Alerts
from scanner.deliver import deliver
from scanner.enforce import Hands, carry_out, counting, settle
from scanner.identity import Identified, Identity, NameSource, identify
from scanner.inventory import Inventory
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.connections import Network
from scanner.openai_api.pace import Pace
from scanner.openai_api.retry import Backoff
from scanner.openai_api.revoker import ApiRevoker
from scanner.plan import make_plan
from scanner.plausible import clock_problem
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.ports import Lease, Log, Page
from scanner.receipt import Act, Spared
from scanner.remedy import Scene
from scanner.result import ScanResult
from scanner.revocation import Bounds, Mode, Plan
from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import Member, ProjectKey, SandboxOrganization, SandboxProject
from scanner.sandbox.server import serving
from scanner.scan import compared, remember, scan
from scanner.secret import Secret
from scanner.store.history import SqlStore
from tests.revocation.mortal import Mortal, Step, stepping
from tests.revocation.unruly import Unruly

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
ACME = "Acme"
ROUTE = Route(name="security", sink=Sink.SLACK, to="#alerts")
WIDE = Bounds(mode=Mode.ENFORCE, max_keys=1000, max_percent=100)
RULES = """\
policy: mine
rules:
  - id: {id}
    title: T
    severity: high
    violated_when: {when}
    why: W
    fix: F
    respond: {{ revoke: {method}, after: {after} }}
"""


def a_policy(
    when: str = "{ age: { over: 90d } }",
    *,
    method: str = "expire",
    after: str = "7d",
    more: str = "",
) -> Policy:
    text = RULES.format(id="old", when=when, method=method, after=after)
    return parse_policy(text + more, "mine.yaml")


def plan_of(scene: Scene) -> Plan:
    assert scene.result.revocation
    return scene.result.revocation.plan


@dataclass(kw_only=True)
class Stage:
    """Simulated scans of one organization, under a `name` from a `source`.

    `moment` is the true time, which the API has, or with `is_real` now and `later` by so much; this
    machine's clock is `ahead` of it.
    """

    organization: SandboxOrganization
    store: SqlStore
    api: Unruly = field(init=False)
    base_url: str = ""
    name: str = ACME
    source: NameSource = NameSource.CHOSEN
    moment: datetime = START
    ahead: timedelta = timedelta()
    policies: tuple[Policy, ...] = field(default_factory=lambda: (a_policy(),))
    bounds: Bounds = WIDE
    stopped: str = ""
    told: bool = True
    is_real: bool = False
    later: timedelta = timedelta()
    timeout: float = 5.0
    sleeps_after_note: timedelta = timedelta()
    on_delivery: Callable[[Delivery], None] = lambda _delivery: None

    def clock(self) -> datetime:
        return self.true_time() + self.ahead

    def true_time(self) -> datetime:
        return datetime.now(UTC) + self.later if self.is_real else self.moment

    def walk(self, *, everything: bool = False) -> Inventory:
        plan = make_plan(self.policies, everything=everything)

        async def collect() -> Inventory:
            async with self._client() as client:
                return await ApiCollector(client, plan, None, self.clock).collect()

        return asyncio.run(collect())

    def night(
        self, *, days: float = 1, killed_at: int = 0, everything: bool = False
    ) -> list[Act | Spared]:
        """Let time pass, scan, record, notify and revoke; return the result of each key.

        With `killed_at` the process ends at that step of revoking: raises Killed.
        """
        self.moment += timedelta(days=days)
        with self.hold() as lease:
            scene = self.scene(everything=everything)
            self.record(scene, lease)
            self.notify(scene.result, lease)
            return self.revoke(scene, lease, Mortal(killed_at))

    def hold(self) -> AbstractContextManager[Lease]:
        return self.store.hold(self._identity().organization)

    def scene(self, *, everything: bool = False) -> Scene:
        memory = self._memory()
        scanned = scan(
            lambda: self.walk(everything=everything), self.policies, self.clock(), self.clock
        )
        result = compared(scanned, self.store, memory.organization, memory.identity)
        scene = scene_of(result, scanned, memory)
        return replace(scene, result=with_plan(scene))

    def plan(self) -> Plan:
        return plan_of(self.scene())

    def record(self, scene: Scene, lease: Lease) -> None:
        memory = self._memory()
        projects = tuple(project.id for project in scene.inventory.projects)
        assert memory.identity
        identified = Identified(identity=memory.identity, project_ids=projects)
        told = alerts_of(scene.result, memory, masks=False)
        remember(scene.result, self.store, lease, b"", told, identified=identified)

    def notify(self, result: ScanResult, lease: Lease) -> None:
        """Deliver all pending alerts, if delivery works."""
        if not self.told:
            return
        failed = deliver(
            self.store.outbox,
            lease,
            {ROUTE.name: self._arrive},
            self.clock,
            lambda _scan_id: None,
            masks=False,
            verified_at=None if clock_problem(result.clock_ahead) else result.started_at,
        )
        assert list(failed) == []

    def revoke(
        self, scene: Scene, lease: Lease, step: Step = lambda _name: None
    ) -> list[Act | Spared]:
        return list(self.revoking(scene, lease, step))

    def revoking(self, scene: Scene, lease: Lease, step: Step) -> Iterator[Act | Spared]:
        """Revoke what is due, a key at a time; `step` is called between all that is done."""

        def sleeping(name: str) -> None:
            if name == "begin done":
                self.moment += self.sleeps_after_note
            step(name)

        journal = self.store.journal(lease)
        due = plan_of(scene).due if self.bounds.mode is Mode.ENFORCE else ()
        if not due and not any(act.is_open for act in journal.acts()):
            return
        with ApiRevoker(self._client(self.timeout)) as revoker:
            hands = Hands(
                revoker=revoker,
                journal=journal,
                clock=self.clock,
                by="a test",
                stopped=lambda: self.stopped,
            )
            hands = counting(stepping(hands, sleeping))
            yield from settle(hands)
            if due:
                yield from carry_out(scene, plan_of(scene), hands)

    def acts(self) -> tuple[Act, ...]:
        return self.store.acts(self._identity().organization)

    def written(self) -> list[tuple[str, str]]:
        """Return every write that the API made: the method and the key."""
        made = (write for write in self.organization.writes if write.status == 200)
        return [(write.method, write.path.rpartition("/")[2]) for write in made]

    def _identity(self) -> Identity:
        known = self.store.names.called(self.name)
        if known and self.source is NameSource.CHOSEN:
            return identify(self.name, self.source, known, ())
        sharing = self.store.names.sharing(self.organization.projects)
        return identify(self.name, self.source, known, sharing)

    def _memory(self) -> Memory:
        identity = self._identity()
        return Memory(
            store=self.store,
            organization=identity.organization,
            lease=None,
            alerts=Alerts(routes=(ROUTE,)),
            bounds=self.bounds,
            own_key=Secret(SANDBOX_KEY),
            identity=identity,
        )

    def _client(self, timeout: float = 5.0) -> AdminClient:
        quick = Backoff(tries=2, first_wait=0.001, longest_wait=0.001)
        key = Secret(SANDBOX_KEY)
        way = Network(timeout=timeout)
        return AdminClient(key, base_url=self.base_url, pace=Pace(8), backoff=quick, network=way)

    def _arrive(self, delivery: Delivery, _log: Log, _page: Page) -> frozenset[str]:
        """Take a delivery; return all that it names, as our Slack is patient."""
        self.on_delivery(delivery)
        return frozenset(item.fingerprint for item in delivery.draft.announcement.items)


@dataclass(kw_only=True)
class Cast:
    """The organization of most tests: one old key, and its sibling of the same name."""

    organization: SandboxOrganization
    ada: Member
    project: SandboxProject
    old: ProjectKey
    sibling: ProjectKey


def a_cast(*, start: datetime = START, used: float | None = 30) -> Cast:
    """Two keys of one owner, project and name: one 200 days old, one young."""
    builder = Builder(ACME, seed=1, now=int(start.timestamp()))
    builder.member("Bo Lind", role="owner")
    ada = builder.member("Ada Ito")
    project = builder.project("chat", ada)
    old = builder.key(project, ada, "backend", age=200, used=used, expires=None)
    sibling = builder.key(project, ada, "backend", age=60, used=used, expires=None)
    return Cast(
        organization=builder.organization, ada=ada, project=project, old=old, sibling=sibling
    )


_trusted = cache(httpx2.create_ssl_context)
"""Reads all certificates once, not for each client: that would take most of the time."""


@contextmanager
def staged(organization: SandboxOrganization, store: SqlStore) -> Iterator[Stage]:
    """Serve the organization at the stage's own time while the context lasts."""
    stage = Stage(organization=organization, store=store)
    stage.api = Unruly(app=SandboxApp(organization, clock=lambda: stage.true_time().timestamp()))
    with serving(stage.api) as base_url, patch("httpx2.create_ssl_context", _trusted):
        stage.base_url = base_url
        yield stage
