"""A scan of one organization: its settings and outputs, checked first, then run."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from scanner.cli.account import AlreadyScanned, Once, accounting
from scanner.cli.combining import Combined, not_seen, visited
from scanner.cli.console import ExitCode, code_of, worst
from scanner.cli.memory import Memory, remembering
from scanner.cli.outputs import combined_places, named, read_outputs
from scanner.cli.report import Wanted, seen_again
from scanner.cli.run import Output, Reported, Source, conclude, live, scan_and_report, told
from scanner.cli.sign_of_life import Done, Run, sign_of_life
from scanner.cli.stopping import Ending
from scanner.errors import StoreError, UsageError
from scanner.formats.visit import Visit
from scanner.organizations_file import OWN, Organization
from scanner.plan import Plan, make_plan
from scanner.policy.model import Policy
from scanner.policy_files import load_policies
from scanner.references import Reference
from scanner.result import ScanResult
from scanner.setting import Chosen
from scanner.settings import Settings, StoreSettings, read_settings, store_settings
from scanner.settings_table import (
    COLLECT,
    FAIL_ON,
    METRICS,
    ORGANIZATION,
    OUTPUTS,
    POLICIES,
    REDACT,
    SKIP,
    SNAPSHOT,
    STORE,
)
from scanner.spelling import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The settings of one organization. `key` is None for OPENAI_ADMIN_KEY.

    `name` is None if the history uses the organization's name in the API.
    """

    chosen: Chosen
    name: str | None
    key: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A job whose inputs are read and checked, before the first request."""

    job: Job
    settings: Settings
    store: StoreSettings | None
    policies: tuple[Policy, ...]
    plan: Plan
    outputs: tuple[Output, ...]
    snapshot: Path | None
    failed: list[StoreError] = field(default_factory=list)
    """The errors because of which the history is not used."""

    def remembering(
        self, run: Run, *, is_dry: bool, is_alone: bool = True
    ) -> AbstractContextManager[Memory | None]:
        """Yield the locked history of the organization; see `remembering`."""
        return remembering(
            self.settings,
            self.store,
            self.job.name,
            self.job.chosen.config,
            seen_again_for(self.job),
            run.asked_again,
            is_dry=is_dry,
            is_alone=is_alone,
            failed=self.failed.append,
        )

    def report(self, source: Source, memory: Memory | None) -> Reported:
        """Scan the inventory of `source`, record and report it."""
        reported = scan_and_report(
            source,
            self.policies,
            self.outputs,
            self.snapshot,
            memory,
            name=self.job.name,
            masks=self.job.chosen[REDACT],
            uses_stdout=self.uses_stdout,
        )
        return replace(reported, failures=(*self.failed, *reported.failures))

    @property
    def uses_stdout(self) -> bool:
        """Whether a report is written to stdout, the combined one included."""
        places = (*(path for _, path in self.outputs), *combined_places(self.job.chosen))
        return any(path is None for path in places)

    def told(self, reported: Reported, memory: Memory | None, ending: Ending) -> Done:
        """Send the alerts; return the result and all failures."""
        return told(reported, memory, ending, masks=self.job.chosen[REDACT])


def jobs_of(
    chosen: Chosen, organizations: Sequence[Organization], only: Sequence[str]
) -> tuple[Job, ...]:
    """Return a job for each organization of the settings, or the one for OPENAI_ADMIN_KEY.

    `only` names the organizations to scan, all if empty. Raise UsageError for an unknown name, or
    for options that do not apply.
    """
    if not organizations and only:
        raise UsageError(
            "--only requires organizations in the settings, which list none.",
            help="List them under organizations in keyvigil.yaml, or omit --only.",
        )
    if not organizations:
        return (Job(chosen=chosen, name=chosen[ORGANIZATION]),)
    if chosen.is_said(ORGANIZATION):
        raise UsageError(
            f"{chosen.origin(ORGANIZATION)} names one history, but the settings list organizations,"
            " each with its own.",
            help="Select organizations with --only NAME.",
        )
    known = {one.name: one for one in organizations}
    for name in only:
        if name not in known:
            raise UsageError(f"--only {name}: unknown organization{did_you_mean(name, known)}")
    wanted = [one for one in organizations if not only or one.name in only]
    return tuple(Job(chosen=_own(chosen, one), name=one.name, key=one.key) for one in wanted)


def _own(chosen: Chosen, organization: Organization) -> Chosen:
    """Apply an organization's own settings: they override the file, not flags or variables."""
    own = {
        setting.parameter: setting.kind.value(organization.own[setting.parameter].texts)
        for setting in OWN.values()
        if setting.parameter in organization.own and not chosen.is_said(setting)
    }
    return replace(chosen, values={**chosen.values, **own})


def job_of(chosen: Chosen, organizations: Sequence[Organization]) -> Job:
    """Return the job for the organization that --organization names.

    If the settings list no organizations, it is that of OPENAI_ADMIN_KEY. Raise UsageError.
    """
    name = chosen[ORGANIZATION]
    if not organizations:
        return Job(chosen=chosen, name=name)
    known = {one.name: one for one in organizations}
    if name is None:
        raise UsageError(
            "The settings list several organizations.",
            help=f"Select one with --organization NAME: {', '.join(known)}.",
        )
    if name not in known:
        raise UsageError(
            f"{chosen.origin(ORGANIZATION)} {name}: unknown organization{did_you_mean(name, known)}"
        )
    return Job(chosen=_own(chosen, known[name]), name=name, key=known[name].key)


def seen_again_for(job: Job) -> Callable[[str], ScanResult | None]:
    """Return a function from the id of a recorded scan to its result, None if unavailable."""
    chosen = job.chosen
    judged_by = chosen[POLICIES] if POLICIES.parameter in chosen.values else None
    place = chosen[STORE]
    store = place.reveal() if place else None

    def again(scan_id: str) -> ScanResult | None:
        return seen_again(
            Wanted(
                name=scan_id,
                policies=judged_by,
                store=store,
                organization=job.name,
                skip=chosen[SKIP],
            )
        )

    return again


def metrics_of(job: Job) -> Path | None:
    """Return the path of a job's metrics, unchecked; None if they are not written."""
    path = job.chosen[METRICS]
    return named(path, job.name) if path else None


def places_of(job: Job) -> tuple[Path | None, ...]:
    """Return the paths that a job writes to, unchecked; None is stdout."""
    texts = [text.partition("=")[2] for text in job.chosen[OUTPUTS]]
    paths = [None if text == "-" else named(Path(text), job.name) for text in texts]
    snapshot = job.chosen[SNAPSHOT]
    metrics = metrics_of(job)
    return (
        *paths,
        *([named(snapshot, job.name)] if snapshot else []),
        *([metrics] if metrics else []),
    )


def prepared(job: Job) -> Ready:
    """Read and check the inputs of a job; raise UsageError or PolicyError for the first problem."""
    chosen = job.chosen
    policies = load_policies(chosen[POLICIES])
    snapshot = named(path, job.name) if (path := chosen[SNAPSHOT]) else None
    outputs = read_outputs(chosen[OUTPUTS], snapshot, job.name, metrics_of(job))
    store = store_settings(chosen, os.environ)
    settings = read_settings(chosen, os.environ, job.key)
    return Ready(
        job=job,
        settings=settings,
        store=store,
        policies=policies,
        plan=make_plan(
            policies,
            everything=chosen[COLLECT] == "all",
            for_later=bool(snapshot),
            skip=chosen[SKIP],
        ),
        outputs=outputs,
        snapshot=snapshot,
    )


def already_scanned(job: Job, skipped: AlreadyScanned, combined: Combined) -> Visit:
    """Return the visit of an organization whose due scan is already recorded."""
    outputs = read_outputs(job.chosen[OUTPUTS], None, job.name)
    return combined.already(job.name, skipped.scan_id, seen_again_for(job), outputs)


def scan_one(job: Job, once: Once, combined: Combined, *, is_dry: bool, is_verbose: bool) -> None:
    """Scan one organization; raise typer.Exit with the code, or the error that prevented it."""
    with sign_of_life(metrics_of(job), job.name, is_off=is_dry) as run:
        try:
            visit = _visit(job, once, run, is_dry=is_dry, is_verbose=is_verbose)
        except AlreadyScanned as skipped:
            run.skip()
            visit = already_scanned(job, skipped, combined)
        except typer.Exit:  # stopped by a signal
            raise
        except Exception as error:
            combined.write([not_seen(job.name, error, code_of(error))])
            raise
        raise typer.Exit(worst([ExitCode(visit.exit_code), combined.write([visit])]))


def _visit(job: Job, once: Once, run: Run, *, is_dry: bool, is_verbose: bool) -> Visit:
    """Scan one organization; raise AlreadyScanned, or the error that prevented the scan."""
    ready = prepared(job)
    ending = Ending()
    with accounting(once, ready.remembering(run, is_dry=is_dry)) as night:
        source = live(
            ready.settings,
            ready.plan,
            is_verbose=is_verbose,
            retried=run.asked_again,
            ending=ending,
            memory=night.memory,
        )
        reported = ready.report(source, night.memory)
        done = ready.told(reported, night.memory, ending)
        result, failures = night.take(*run.saw(done, night.memory))
    code = conclude(result, failures, job.chosen[FAIL_ON])
    return visited(job.name, reported, failures, code)
