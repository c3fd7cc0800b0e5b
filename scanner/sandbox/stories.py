"""The demo's organization: small, and every key in it tells a story."""

from scanner.sandbox.builder import Builder
from scanner.sandbox.organization import SandboxOrganization


def demo_organization(now: int) -> SandboxOrganization:
    """Make "Acme Robotics", whose keys hold one story of each kind. `now` is Unix seconds."""
    build = Builder("Acme Robotics", seed=2026, now=now)
    _checkout_assistant(build)
    _research(build)
    _hackathon(build)
    _clean_team(build)
    return build.organization


def _checkout_assistant(build: Builder) -> None:
    """Add production: a key 400 days old, and one whose service account was deleted."""
    lena = build.member("Lena Fischer", role="owner")
    project = build.project("checkout-assistant", lena, age=620)
    service = build.account(project, "checkout-prod", age=402)
    build.key(project, service, "checkout production", age=400, used=0.02, expires=None)
    retired = build.account(project, "price-sync", age=70)
    build.key(project, retired, "price sync", age=70, used=0.4, expires=20)
    del project.accounts[retired.id]
    build.admin_key(lena, "terraform (2024)", age=571, used=303, expires=None)
    build.admin_key(lena, "keyvigil", age=12, used=0.1, expires=78)


def _research(build: Builder) -> None:
    """Add research: keys of a leaver, a disabled person, a mover; unused and never used ones."""
    priya = build.member("Priya Raman")
    omar = build.member("Omar Haddad")
    tom = build.member("Tom Becker")
    grace = build.member("Grace Osei")
    project = build.project("research", priya, omar, tom, grace, age=380)
    build.key(project, priya, "notebook", age=61, used=0.3, expires=29)
    build.key(project, omar, "omar-laptop", age=48, used=9, expires=42)
    build.key(project, tom, "eval runs", age=33, used=2, expires=57)
    build.key(project, grace, "try-out", age=30, used=None, expires=60)
    build.key(project, grace, "embeddings backfill", age=84, used=67, expires=6)
    build.leave(priya)
    omar.enabled = False
    del project.roles[tom.id]


def _hackathon(build: Builder) -> None:
    """Add an archived project whose key was never cleaned up."""
    yuki = build.member("Yuki Tanaka")
    project = build.project("hackathon-2025", yuki, age=300, archived=45)
    build.key(project, yuki, "demo day", age=80, used=44, expires=10)


def _clean_team(build: Builder) -> None:
    """Add a team with nothing to find: young, used, expiring keys of owners who are there."""
    sofia = build.member("Sofia Lindqvist")
    project = build.project("support-copilot", sofia, age=200)
    production = build.account(project, "copilot-prod", age=41)
    staging = build.account(project, "copilot-staging", age=41)
    build.key(project, production, "copilot production", age=41, used=0.01, expires=49)
    build.key(project, staging, "copilot staging", age=41, used=0.2, expires=49)
    build.key(project, sofia, "sofia-dev", age=10, used=1, expires=20)
