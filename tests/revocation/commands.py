"""The real command on an organization whose notices were delivered in simulated scans."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scanner.sandbox.app import SANDBOX_KEY
from tests.cli.running import Ran, keyvigil
from tests.revocation.staging import Cast, Stage, a_cast, staged
from tests.store.making import a_store

POLICY = """\
policy: mine
rules:
  - id: old
    title: T
    severity: high
    violated_when: { age: { over: 90d } }
    why: W
    fix: F
    respond: { revoke: expire, after: 7d }
"""
SETTINGS = "revocation: { mode: MODE, max_percent: 100 }\n"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A folder with settings and a policy, and an organization whose key is due today."""

    folder: Path
    stage: Stage
    cast: Cast
    env: dict[str, str]

    def run(self, *arguments: str, **extra: str) -> Ran:
        return keyvigil(*arguments, cwd=self.folder, env={**self.env, **extra})

    def settle_for(self, mode: str) -> None:
        (self.folder / "keyvigil.yaml").write_text(SETTINGS.replace("MODE", mode))


@contextmanager
def desk(folder: Path, place: str | None = None, *, both: bool = False) -> Iterator[Desk]:
    """Simulate three scans that deliver notices, the first eight days ago.

    Afterwards one key is due, or `both`.
    """
    place = place or str(folder / "history.db")
    now = datetime.now(UTC).replace(microsecond=0)
    cast = a_cast(start=now - timedelta(days=8))
    if both:
        cast.sibling.created_at = cast.old.created_at
    with staged(cast.organization, a_store(place)) as stage:
        stage.moment = now - timedelta(days=8)
        for days in (0, 4, 2):  # the start, three days before, a day before
            stage.night(days=days)
        stage.is_real = True
        stage.api.asked.clear()
        (folder / "mine.yaml").write_text(POLICY)
        made = Desk(
            folder=folder,
            stage=stage,
            cast=cast,
            env={
                "OPENAI_ADMIN_KEY": SANDBOX_KEY,
                "OPENAI_BASE_URL": stage.base_url,
                "KEYVIGIL_STORE": place,
                "KEYVIGIL_POLICY": "mine.yaml",
                "NO_PROXY": "127.0.0.1",
            },
        )
        made.settle_for("enforce")
        yield made
