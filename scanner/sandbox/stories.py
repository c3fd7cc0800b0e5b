"""The demo's organization: small, with one key for each typical problem."""

from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import DAY, AdminKey, ProjectKey, SandboxOrganization


def demo_organization(now: int, days_ago: int = 0) -> SandboxOrganization:
    """Build "Acme Robotics", with one example of each problem, as of `days_ago`.

    `now` is Unix seconds, today. In the last two weeks users left, one user was disabled by
    mistake and enabled again, and one old key was rotated.
    """
    tale = _Tale(Builder("Acme Robotics", seed=2026, now=now), days_ago)
    _checkout_assistant(tale)
    _research(tale)
    _hackathon(tale.build)
    _clean_team(tale)
    _forget_later(tale.build.organization, now - days_ago * DAY)
    return tale.build.organization


class _Tale:
    """Builds an organization as of some days ago."""

    def __init__(self, build: Builder, days_ago: int) -> None:
        self.build = build
        self._days_ago = days_ago

    def has_passed(self, days: int) -> bool:
        """Return whether an event `days` before today had already happened."""
        return days >= self._days_ago


def _forget_later(organization: SandboxOrganization, moment: int) -> None:
    """Remove keys created after `moment`, and move later uses of keys to before it."""
    for holder in organization.projects.values():
        holder.keys = {i: key for i, key in holder.keys.items() if key.created_at <= moment}
    admin_keys = organization.admin_keys.items()
    organization.admin_keys = {i: key for i, key in admin_keys if key.created_at <= moment}
    keys: list[ProjectKey | AdminKey] = [key for _, key in organization.project_keys()]
    keys += organization.admin_keys.values()
    for key in keys:
        if key.last_used_at is not None:
            key.last_used_at = min(key.last_used_at, moment)
    for member in organization.members.values():
        if member.key_used_at is not None:
            member.key_used_at = min(member.key_used_at, moment)


def _checkout_assistant(tale: _Tale) -> None:
    """Add production: a 400 days old key, and a key of a deleted service account."""
    build = tale.build
    lena = build.member("Lena Fischer", role="owner")
    project = build.project("checkout-assistant", lena, age=620)
    service = build.account(project, "checkout-prod", age=402)
    build.key(project, service, "checkout production", age=400, used=0.02, expires=None)
    retired = build.account(project, "price-sync", age=70)
    build.key(project, retired, "price sync", age=70, used=0.4, expires=20)
    if tale.has_passed(5):
        del project.accounts[retired.id]
    build.admin_key(lena, "terraform (2024)", age=571, used=303, expires=None)
    build.admin_key(lena, "keyvigil", age=12, used=0.1, expires=78)


def _research(tale: _Tale) -> None:
    """Add research: keys of users who left, were disabled or lost access; unused keys."""
    build = tale.build
    priya = build.member("Priya Raman")
    omar = build.member("Omar Haddad")
    tom = build.member("Tom Becker")
    grace = build.member("Grace Osei")
    project = build.project("research", priya, omar, tom, grace, age=380)
    build.key(project, priya, "notebook", age=61, used=0.3, expires=29)
    build.key(project, omar, "omar-laptop", age=48, used=9, expires=42)
    build.key(project, tom, "eval runs", age=33, used=2, expires=57)
    build.key(project, grace, "try-out", age=30, used=None, expires=60)
    build.key(project, grace, "embeddings backfill", age=84, used=52, expires=6)
    if tale.has_passed(9):
        build.leave(priya)
    if tale.has_passed(4):
        omar.enabled = False
    if tale.has_passed(0):
        del project.roles[tom.id]
    grace.enabled = tale.has_passed(8) or not tale.has_passed(10)


def _hackathon(build: Builder) -> None:
    """Add an archived project whose key was not deleted."""
    yuki = build.member("Yuki Tanaka")
    project = build.project("hackathon-2025", yuki, age=300, archived=45)
    build.key(project, yuki, "demo day", age=80, used=44, expires=10)


def _clean_team(tale: _Tale) -> None:
    """Add a team without findings: young, used, expiring keys of active owners.

    One key was rotated recently, six days after the old key exceeded its maximum age.
    """
    build = tale.build
    sofia = build.member("Sofia Lindqvist")
    project = build.project("support-copilot", sofia, age=200)
    production = build.account(project, "copilot-prod", age=41)
    staging = build.account(project, "copilot-staging", age=41)
    build.key(project, production, "copilot production", age=41, used=0.01, expires=49)
    build.key(project, staging, "copilot staging", age=41, used=0.2, expires=49)
    build.key(project, sofia, "sofia-dev", age=10, used=1, expires=20)
    ines = build.member("Ines Duarte")
    project.roles[ines.id] = "member"
    old = build.key(project, ines, "batch (old)", age=96, used=1, expires=12)
    build.key(project, ines, "batch", age=4, used=0.3, expires=81)
    if tale.has_passed(0):
        del project.keys[old.id]
