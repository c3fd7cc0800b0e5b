"""Nights that revoke: a served sandbox, a history, a clock of their own, and what goes wrong."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from scanner.announce import drafts
from scanner.announcement import Delivery, Route, Sink
from scanner.enforce import Hands, carry_out, settle
from scanner.guards import Known
from scanner.inventory import Inventory
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.connections import Network
from scanner.openai_api.pace import Pace
from scanner.openai_api.retry import Backoff
from scanner.openai_api.revoker import ApiRevoker
from scanner.plan import make_plan
from scanner.policy.model import Policy
from scanner.policy.parse import parse_policy
from scanner.ports import Journal, Lease, Revoker
from scanner.receipt import Act, Revocation, Spared
from scanner.remedy import Scene, make_plan_of_revocation
from scanner.result import ScanResult
from scanner.revocation import Bounds, Mode, Plan
from scanner.sandbox.app import SANDBOX_KEY, SandboxApp
from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import Member, ProjectKey, SandboxOrganization, SandboxProject
from scanner.sandbox.server import serving
from scanner.scan import compared, remember, scan
from scanner.secret import Secret
from scanner.store.history import SqlStore
from tests.revocation.mortal import Mortal, Sleepy
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


def named(delivery: Delivery) -> frozenset[str]:
    """Return all that it tells of: our Slack is patient."""
    return frozenset(item.fingerprint for item in delivery.draft.announcement.items)


@dataclass(kw_only=True)
class Stage:
    """One organization through simulated nights; whatever is told arrives."""

    organization: SandboxOrganization
    store: SqlStore
    api: Unruly = field(init=False)
    base_url: str = ""
    moment: datetime = START
    policies: tuple[Policy, ...] = field(default_factory=lambda: (a_policy(),))
    bounds: Bounds = WIDE
    own_keys: frozenset[str] = frozenset()
    stopped: str = ""
    told: bool = True
    is_real: bool = False
    api_ahead: timedelta = timedelta()
    timeout: float = 5.0
    sleeps_after_note: timedelta = timedelta()

    def clock(self) -> datetime:
        return datetime.now(UTC) if self.is_real else self.moment

    def api_clock(self) -> float:
        return (self.clock() + self.api_ahead).timestamp()

    def walk(self, *, everything: bool = False) -> Inventory:
        plan = make_plan(self.policies, everything=everything)

        async def collect() -> Inventory:
            async with self._client() as client:
                return await ApiCollector(client, plan, None, self.clock).collect()

        return asyncio.run(collect())

    def night(
        self, *, days: float = 1, killed_at: int = 0, everything: bool = False
    ) -> list[Act | Spared]:
        """Let time pass, scan, record, tell and revoke; return what came of each key.

        With `killed_at` the process ends at that step of revoking: raises Killed.
        """
        self.moment += timedelta(days=days)
        with self.store.hold(ACME) as lease:
            scene = self.scene(everything=everything)
            self._record(scene.result, lease)
            return self.revoke(scene, lease, killed_at)

    def scene(self, *, everything: bool = False) -> Scene:
        inventory = self.walk(everything=everything)
        scanned = scan(lambda: inventory, self.policies, self.moment, self.clock)
        result = compared(scanned, self.store, ACME)
        known = Known(
            announced=self.store.outbox.announced(ACME),
            own_keys=self.own_keys,
            acts=self.store.acts(ACME),
        )
        scene = Scene(
            result=result,
            inventory=inventory,
            policies=self.policies,
            bounds=self.bounds,
            known=known,
        )
        plan = make_plan_of_revocation(scene)
        revocation = Revocation(mode=self.bounds.mode, plan=plan)
        return replace(scene, result=replace(result, revocation=revocation))

    def plan(self) -> Plan:
        revocation = self.scene().result.revocation
        assert revocation
        return revocation.plan

    def revoke(self, scene: Scene, lease: Lease, killed_at: int = 0) -> list[Act | Spared]:
        assert scene.result.revocation
        plan = scene.result.revocation.plan
        with self.revoker() as revoker:
            hands = self.hands(revoker, self.store.journal(lease))
            if self.sleeps_after_note:
                hands = replace(hands, journal=Sleepy(self._sleep, hands.journal))
            if killed_at:
                hands = Mortal(hands=hands, at=killed_at).made()
            settled = list(settle(hands))
            if self.bounds.mode is not Mode.ENFORCE:
                return [*settled]
            return [*settled, *carry_out(scene, plan, hands)]

    def hands(self, revoker: Revoker, journal: Journal) -> Hands:
        return Hands(
            revoker=revoker,
            journal=journal,
            clock=self.clock,
            by="a test",
            stopped=lambda: self.stopped,
        )

    def _sleep(self) -> None:
        self.moment += self.sleeps_after_note

    def revoker(self) -> ApiRevoker:
        return ApiRevoker(self._client(self.timeout))

    def acts(self) -> tuple[Act, ...]:
        return self.store.acts(ACME)

    def written(self) -> list[tuple[str, str]]:
        """Return every write that the API made: the method and the key."""
        made = (write for write in self.organization.writes if write.status == 200)
        return [(write.method, write.path.rpartition("/")[2]) for write in made]

    def _client(self, timeout: float = 5.0) -> AdminClient:
        quick = Backoff(tries=2, first_wait=0.001, longest_wait=0.001)
        key = Secret(SANDBOX_KEY)
        way = Network(timeout=timeout)
        return AdminClient(key, base_url=self.base_url, pace=Pace(8), backoff=quick, network=way)

    def _record(self, result: ScanResult, lease: Lease) -> None:
        outbox = self.store.outbox
        known = outbox.routes(ACME)
        remember(result, self.store, lease, b"", drafts(result, [ROUTE], known))
        if self.told:
            for delivery in outbox.pending(ACME):
                outbox.close(lease, delivery, self.moment, named(delivery), starts_grace=True)


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


@contextmanager
def staged(organization: SandboxOrganization, store: SqlStore) -> Iterator[Stage]:
    """Serve the organization at the stage's own time while the context lasts."""
    stage = Stage(organization=organization, store=store)
    stage.api = Unruly(app=SandboxApp(organization, clock=stage.api_clock))
    with serving(stage.api) as base_url:
        stage.base_url = base_url
        yield stage
