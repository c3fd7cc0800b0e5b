"""The one place that names concrete parts together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scanner.bundled import bundled
from scanner.errors import PolicyError, Problem, UsageError
from scanner.inventory import Inventory
from scanner.openai_api.client import AdminClient
from scanner.openai_api.collect import ApiCollector
from scanner.openai_api.pace import Pace
from scanner.plan import Plan
from scanner.policy.model import Policy, Rule
from scanner.policy.parse import parse_policy
from scanner.policy.problems import did_you_mean
from scanner.policy.trial import failed_examples
from scanner.ports import Progress
from scanner.sandbox.app import ALL_SCOPES, SANDBOX_KEY, SandboxApp
from scanner.sandbox.faults import Faults, FaultyApp
from scanner.sandbox.organization import Quirk, SandboxOrganization
from scanner.sandbox.seeded import seeded_organization
from scanner.sandbox.server import serving
from scanner.sandbox.stories import demo_organization
from scanner.secret import Secret
from scanner.settings import Settings, StoreSettings

if TYPE_CHECKING:
    from scanner.store.history import SqlStore

_SUFFIX: Final = ".yaml"
_POLICY_BYTES: Final = 4_000_000


def now() -> datetime:
    """Tell the time: the Clock of every real scan."""
    return datetime.now(UTC)


def shipped_policies() -> tuple[str, ...]:
    """Return the names of the policies that ship with KeyVigil."""
    files = (entry.name for entry in bundled("policies").iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


def shipped_rules() -> dict[str, Rule]:
    """Return every rule that ships, by id; as the baseline has it, where several do."""
    names = ("baseline", *shipped_policies())
    policies = read_policies(names)
    return {rule.text.id: rule for policy in reversed(policies) for rule in policy.rules}


def policy_text(name_or_file: str) -> tuple[str, str]:
    """Return a policy's text and the name to show for it, by shipped name or by file.

    A word with a slash or a .yaml or .yml ending is a file. Raise UsageError or PolicyError.
    """
    is_file = _is_file(name_or_file)
    if not is_file and name_or_file not in shipped_policies():
        hint = did_you_mean(name_or_file, shipped_policies())
        raise UsageError(
            f"There is no policy '{name_or_file}'{hint}",
            help="Name a shipped policy (keyvigil policies list) or a .yaml file.",
        )
    source = Path(name_or_file) if is_file else bundled("policies") / f"{name_or_file}{_SUFFIX}"
    shown = name_or_file if is_file else f"{name_or_file}{_SUFFIX}"
    try:
        with source.open("rb") as file:
            content = file.read(_POLICY_BYTES + 1)
        if len(content) > _POLICY_BYTES:
            raise UsageError(f"The policy {shown} is larger than {_POLICY_BYTES:,} bytes.")
        return content.decode("utf-8-sig"), shown
    except OSError as error:
        raise UsageError(
            f"The policy {name_or_file} cannot be read: {error.strerror}.",
            help="Check the path, or name a shipped policy (keyvigil policies list).",
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem(file=shown, line=line, column=1, message="the file is not UTF-8 text")
        raise PolicyError((problem,)) from None


def _is_file(name_or_file: str) -> bool:
    path = Path(name_or_file)
    return path.suffix in (".yaml", ".yml") or path.name != name_or_file


def _load_policy(name_or_file: str, through: tuple[str, ...] = ()) -> Policy:
    """Read a policy and those it extends; a file among them is looked for beside it.

    `through` are those that led here. Raise UsageError or PolicyError.
    """
    if name_or_file in through:
        raise UsageError(f"{name_or_file} extends itself, by way of {' and '.join(through)}.")
    text, shown = policy_text(name_or_file)
    folder = Path(name_or_file).parent

    def extend(name: str) -> Policy:
        place = str(folder / name) if _is_file(name) else name
        return _load_policy(place, (*through, name_or_file))

    return parse_policy(text, shown, extend)


def read_policies(names_or_files: Iterable[str]) -> tuple[Policy, ...]:
    """Read policies, each by itself; raise PolicyError with every mistake of every file.

    Raise UsageError for what is no policy's name or file.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for name in names_or_files:
        try:
            policies.append(_load_policy(name))
        except PolicyError as error:
            problems.extend(error.problems)
    if problems:
        raise PolicyError(tuple(problems))
    return tuple(policies)


def load_policies(names_or_files: Sequence[str]) -> tuple[Policy, ...]:
    """Read the policies to scan by; raise as `read_policies` does, and for those that clash."""
    policies = read_policies(names_or_files)
    for name, policy in zip(names_or_files, policies, strict=True):
        if _is_file(name) and policy.name in shipped_policies():
            raise UsageError(
                f"{name} calls itself '{policy.name}', as a shipped policy does.",
                help="Give it a name of its own, so that reports tell the two apart.",
            )
    return tuple(_each_rule_once(policies))


def try_examples(name_or_file: str) -> Policy:
    """Read a policy and try its examples; raise PolicyError with each that fails."""
    (policy,) = read_policies([name_or_file])
    _, shown = policy_text(name_or_file)
    failed = tuple(failed_examples(policy, shown))
    if failed:
        raise PolicyError(failed)
    return policy


def _each_rule_once(policies: Iterable[Policy]) -> Iterator[Policy]:
    """One rule id, one rule: a finding is known by it from night to night.

    What several policies have alike stays with the first. Raise UsageError for what they do not.
    """
    seen: dict[str, Rule] = {}
    names: set[str] = set()
    for policy in policies:
        if policy.name in names:
            raise UsageError(f"There are two policies '{policy.name}'.", help="Leave one out.")
        names.add(policy.name)
        own = []
        for rule in policy.rules:
            first = seen.setdefault(rule.text.id, rule)
            if first is rule:
                own.append(rule)
            elif first != replace(rule, text=replace(rule.text, policy=first.text.policy)):
                raise UsageError(
                    f"The rule '{rule.text.id}' says one thing in policy '{first.text.policy}' and"
                    f" another in policy '{policy.name}'.",
                    help="Leave one of the two out, or give the rule another id.",
                )
        yield replace(policy, rules=tuple(own))


async def collect_inventory(settings: Settings, plan: Plan, progress: Progress) -> Inventory:
    """Walk the organization that `settings` leads to; raises as a Collector does."""
    pace = Pace(settings.concurrency, deadline=settings.deadline)
    client = AdminClient(
        settings.admin_key,
        base_url=settings.base_url,
        pace=pace,
        asks_again=progress.asks_again,
    )
    async with client:
        return await ApiCollector(client, plan, progress).collect()


async def name_organization(settings: Settings, progress: Progress) -> str | None:
    """Ask whose the admin key is; None if the API does not say, ApiError if it does not answer."""
    client = AdminClient(
        settings.admin_key,
        base_url=settings.base_url,
        pace=Pace(settings.concurrency, deadline=settings.deadline),
        asks_again=progress.asks_again,
    )
    async with client:
        answer = await client.get("/organization/projects", {"limit": 1}, len)
    return answer.organization or None


def open_store(settings: StoreSettings, *, must_exist: bool = False) -> "SqlStore":
    """Open the history, making (unless it `must_exist`) and migrating what has to be.

    Raise StoreError or UsageError.
    """
    from scanner.store.database import open_database  # noqa: PLC0415 - SQLAlchemy takes its time
    from scanner.store.history import Keeping, SqlStore  # noqa: PLC0415

    keeping = Keeping(scans=settings.keep, snapshots=settings.keep_snapshots)
    database = open_database(settings.place.reveal(), must_exist=must_exist)
    return SqlStore(database, keeping=keeping, lease=settings.lease)


def demo_nights(count: int) -> Iterator[tuple[datetime, Settings]]:
    """Serve the demo's organization as it was on each of the last nights; yield when, and the way.

    The last of them is now.
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
    """Serve an organization on loopback while the context lasts; yields the way to it.

    `faults` are by listing, as FaultyApp has them.
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
