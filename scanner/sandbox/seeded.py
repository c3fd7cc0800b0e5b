"""A fictitious organization of any size, determined by a seed and a time."""

from typing import Final

from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import Account, Member, SandboxOrganization, SandboxProject

_GIVEN: Final = ("Ada", "Bo", "Chidi", "Dana", "Emre", "Fay", "Goran", "Hana", "Ines", "José")
_FAMILY: Final = ("Ito", "Jones", "Kaya", "Lindqvist", "Meyer", "Nkemelu", "Ōno", "Petrov", "Quist")
_WORK: Final = ("search", "billing", "support", "ranking", "labels", "pricing", "fraud", "chat")
_STAGE: Final = ("prod", "staging", "dev", "batch", "eval")
_HOSTILE_NAMES: Final = (
    "<script>alert(1)</script>",
    "\x1b[2J\x1b[31mowned\x1b[0m",
    "invoice\u202egpj.exe",
    '=HYPERLINK("http://example.com","open")',
    "<!channel> *look* `here` & there",
    "line one\nline two\r\tand a tab",
    "k" * 200,
    "",
)


def seeded_organization(
    *, seed: int, projects: int, keys_per_project: int, now: int
) -> SandboxOrganization:
    """Build an organization with `projects` projects and `keys_per_project` keys in each.

    An eighth of the projects are archived; some users are disabled, left or lost access; some
    service accounts are deleted; one name in a hundred is hostile. `now` is Unix seconds.
    """
    maker = _Maker(seed, now)
    people = maker.people(max(8, projects))
    for number in range(projects):
        maker.project(number, people, keys_per_project)
    maker.admin_keys(people)
    maker.departures(people)
    return maker.builder.organization


class _Maker:
    def __init__(self, seed: int, now: int) -> None:
        self.builder = Builder(f"sandbox-{seed}", seed=seed, now=now)
        self.random = self.builder.random

    def people(self, count: int) -> list[Member]:
        pick = self.random.choice
        return [
            self.builder.member(
                f"{pick(_GIVEN)} {pick(_FAMILY)} {number}",
                age=self.random.uniform(30, 900),
                role="owner" if number % 20 == 0 else "reader",
            )
            for number in range(count)
        ]

    def project(self, number: int, people: list[Member], keys: int) -> None:
        """Add a project with its team, service accounts and keys."""
        team = self.random.sample(people, k=min(6, len(people)))
        name = f"{self.random.choice(_WORK)}-{self.random.choice(_STAGE)}-{number}"
        project = self.builder.project(
            name,
            *team,
            age=self.random.uniform(100, 1000),
            archived=self.random.uniform(1, 90) if number % 8 == 7 else None,  # noqa: PLR2004
        )
        accounts = [self.builder.account(project, f"{name}-bot-{i}") for i in range(2)]
        for _ in range(keys):
            self.key(project, team, accounts)
        if self.random.random() < 0.1:  # noqa: PLR2004
            del project.accounts[accounts[0].id]
        if self.random.random() < 0.2:  # noqa: PLR2004
            del project.roles[team[0].id]

    def key(self, project: SandboxProject, team: list[Member], accounts: list[Account]) -> None:
        """Add one key of a team member or of a service account."""
        chance = self.random.random
        owner = self.random.choice(team) if chance() < 0.65 else self.random.choice(accounts)  # noqa: PLR2004
        age = self.random.expovariate(1 / 80)
        name = self.random.choice(_HOSTILE_NAMES) if chance() < 0.01 else f"{project.name}-key"  # noqa: PLR2004
        self.builder.key(
            project,
            owner,
            name,
            age=age,
            used=None if chance() < 0.15 else min(age, self.random.expovariate(1 / 20)),  # noqa: PLR2004
            expires=None if chance() < 0.5 else self.random.uniform(-min(age, 10), 90),  # noqa: PLR2004
        )

    def admin_keys(self, people: list[Member]) -> None:
        """Add a few admin keys of organization owners, and one of a service account."""
        owners = [member for member in people if member.role == "owner"]
        holders: list[Member | Account] = [self.random.choice(owners) for _ in range(4)]
        projects = self.builder.organization.projects.values()
        holders.extend(list(next(iter(projects)).accounts.values())[-1:])
        for number, holder in enumerate(holders):
            age = self.random.uniform(1, 300)
            self.builder.admin_key(holder, f"automation-{number}", age=age, used=1, expires=None)

    def departures(self, people: list[Member]) -> None:
        """Disable every fifteenth user and remove every twelfth; the first user stays."""
        for number, member in enumerate(people[1:], start=1):
            if number % 15 == 0:
                member.enabled = False
            elif number % 12 == 0:
                self.builder.leave(member)
