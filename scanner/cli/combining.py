"""`--combined`: the outcome of every organization of a run, in one report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from scanner.cli.console import ExitCode, show_error, worst
from scanner.cli.outputs import read_combined
from scanner.cli.run import Output, Reported, page_of, write_document_to
from scanner.errors import KeyVigilError, StoreLocked
from scanner.formats.registry import overview_format_of
from scanner.formats.visit import OrganizationState, Visit, unseen
from scanner.path_template import fill
from scanner.redaction import without_addresses
from scanner.result import ScanResult
from scanner.setting import Chosen
from scanner.settings_table import REDACT
from scanner.wiring import now


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The outputs of the combined report, if any, and the start of the run."""

    outputs: tuple[Output, ...] = ()
    masks: bool = False
    began: datetime = field(default_factory=now)

    @classmethod
    def read(cls, chosen: Chosen) -> Self:
        """Read and check the outputs; raise UsageError for one that cannot be written."""
        return cls(outputs=read_combined(chosen), masks=chosen[REDACT])

    @property
    def uses_stdout(self) -> bool:
        """Whether one of the outputs is stdout."""
        return any(path is None for _, path in self.outputs)

    def write(self, visits: Sequence[Visit]) -> ExitCode:
        """Render all outputs, then write each; print the errors, return the exit code."""
        documents = [self._rendered(name, path, visits) for name, path in self.outputs]
        failures = [write_document_to(path, document) for document, path in documents]
        return worst(show_error(failure) for failure in failures if failure)

    def _rendered(
        self, name: str, path: Path | None, visits: Sequence[Visit]
    ) -> tuple[bytes, Path | None]:
        from scanner.formats.overview import overview_of  # noqa: PLC0415 - rarely needed

        filled = path and Path(fill(str(path), at=self.began, scan_id="", organization=""))
        folder = filled.parent if filled else Path()
        overview = overview_of(visits, self.began, now(), folder=folder, masks=self.masks)
        return overview_format_of(name)(overview).encode(), filled

    def already(
        self,
        name: str | None,
        scan_id: str,
        again: Callable[[str], ScanResult | None],
        outputs: Sequence[Output],
    ) -> Visit:
        """Return the visit of an organization whose due scan is already recorded.

        `again` loads its result, only if a combined report is written.
        """
        visit = Visit(
            name=name,
            state=OrganizationState.SCANNED_ALREADY,
            exit_code=ExitCode.DONE,
            reason=f"The scan {scan_id} is recorded.",
        )
        result = again(scan_id) if self.outputs else None
        if result is None:
            return visit
        shown = without_addresses(result) if self.masks else result
        page = page_of(outputs, shown)
        is_there = page is not None and page.is_file()
        return replace(visit, result=shown, page=page if is_there else None)


def visited(
    name: str | None, reported: Reported, failures: Sequence[KeyVigilError], code: int
) -> Visit:
    """Return the visit of a scanned organization; `code` is the exit code of its scan."""
    shown = reported.shown
    is_complete = shown.complete
    return Visit(
        name=name or shown.organization,
        state=OrganizationState.COMPLETE if is_complete else OrganizationState.INCOMPLETE,
        exit_code=code,
        reason="\n".join(filter(None, (unseen(shown), *map(str, failures)))),
        help=next((failure.help for failure in failures if failure.help), ""),
        result=shown,
        page=reported.page,
    )


def not_seen(name: str | None, error: Exception, code: int) -> Visit:
    """Return the visit of an organization whose scan failed with an error."""
    is_locked = isinstance(error, StoreLocked)
    visit = Visit(
        name=name,
        state=OrganizationState.LOCKED if is_locked else OrganizationState.FAILED,
        exit_code=code,
    )
    if isinstance(error, KeyVigilError):
        return replace(visit, reason=str(error), help=error.help or "")
    return replace(visit, reason=f"KeyVigil itself failed: {type(error).__name__}: {error}")
