"""`keyvigil scan`: one scan now."""

import os
import re
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from scanner.cli.account import AccountOption, UnlessSinceOption, accounting
from scanner.cli.memory import OrganizationOption, StoreOption, remembering
from scanner.cli.outputs import OutputOption, RedactOption, read_outputs
from scanner.cli.report import seen_again
from scanner.cli.run import conclude, live, scan_and_report, stored
from scanner.cli.stopping import Ending
from scanner.cli.telling import ConfigOption, read_alerts
from scanner.errors import UsageError
from scanner.finding import Severity
from scanner.formats.snapshot import Snapshot, parse_snapshot, read_snapshot
from scanner.inventory import Collection
from scanner.plan import OPTIONAL, make_plan
from scanner.policy.problems import did_you_mean
from scanner.policy_files import load_policies
from scanner.settings import (
    DEFAULT_CONCURRENCY,
    MAX_CONCURRENCY,
    StoreSettings,
    read_settings,
    read_store_settings,
)
from scanner.wiring import open_store

_OF_A_WALK: Final = {
    "concurrency": "--concurrency",
    "deadline": "--deadline",
    "collect": "--collect",
    "dry_run": "--dry-run",
    "unless_since": "--unless-since",
}
EXIT_CODES: Final = """\
Exit codes:

0  done

1  violations at or above --fail-on

2  a mistake in the command, the environment or a policy

3  the scan failed or is incomplete

4  an alert was not delivered; the next scan tries again
"""
_SCAN: Final = re.compile(r"latest|previous|[0-9]{8}(T[0-9]{0,6}(Z(-[0-9a-f]{0,8})?)?)?")
PolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        envvar="KEYVIGIL_POLICY",
        metavar="NAME|FILE",
        help="A shipped policy or a YAML file; may be given again. Default: baseline.",
    ),
]
FailOnOption = Annotated[
    Severity | None,
    typer.Option(
        envvar="KEYVIGIL_FAIL_ON",
        metavar="SEVERITY",
        case_sensitive=False,
        help="Exit 1 if there is a violation of this severity or worse (undetermined is none)."
        " Default: never.",
    ),
]
ConcurrencyOption = Annotated[
    int,
    typer.Option(
        envvar="KEYVIGIL_CONCURRENCY",
        min=1,
        max=MAX_CONCURRENCY,
        help="How many requests may be under way at once; fewer while the API is busy.",
    ),
]
DeadlineOption = Annotated[
    float | None,
    typer.Option(
        envvar="KEYVIGIL_DEADLINE",
        metavar="MINUTES",
        min=0.01,
        help="End with what was seen until then, as an incomplete scan. Default: never.",
    ),
]
_Snapshot = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Write what was seen, to be judged again later; it holds names and addresses.",
    ),
]
_From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SNAPSHOT|SCAN",
        help="Judge what a snapshot, or a scan of the history, saw; as of its own moment."
        " Needs no key and no network, and is not recorded.",
    ),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Compare with the history, and record nothing.")
]


CollectOption = Annotated[
    Literal["needed", "all"],
    typer.Option(
        envvar="KEYVIGIL_COLLECT",
        help="Ask for what the rules rest on, or for everything there is.",
    ),
]
SkipOption = Annotated[
    list[str] | None,
    typer.Option(
        envvar="KEYVIGIL_SKIP",
        metavar="LISTING",
        help=f"Never ask for {', '.join(OPTIONAL)}; may be given again.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Tell what is asked for and why, and every retry."),
]


def scan(
    context: typer.Context,
    policy: PolicyOption = None,
    output: OutputOption = None,
    config: ConfigOption = None,
    fail_on: FailOnOption = None,
    concurrency: ConcurrencyOption = DEFAULT_CONCURRENCY,
    deadline: DeadlineOption = None,
    snapshot: _Snapshot = None,
    from_: _From = None,
    collect: CollectOption = "needed",
    skip: SkipOption = None,
    store: StoreOption = None,
    organization: OrganizationOption = None,
    dry_run: _DryRun = False,
    redact_emails: RedactOption = False,
    unless_since: UnlessSinceOption = None,
    account: AccountOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Scan the organization of OPENAI_ADMIN_KEY now. Reads only; changes nothing."""
    policies = load_policies(policy or ["baseline"])
    outputs = read_outputs(output or [], snapshot)
    off = [_optional(name) for name in skip or []]
    kept = read_store_settings(os.environ, store)
    report = partial(
        scan_and_report, policies=policies, outputs=outputs, snapshot=snapshot, masks=redact_emails
    )
    if from_ is not None:
        _refuse_options_of_a_walk(context)
        saw = _what_was_seen(from_, kept, organization)
        raise typer.Exit(conclude(*report(stored(saw, make_plan(policies, skip=off))), fail_on))
    plan = make_plan(policies, everything=collect == "all", for_later=bool(snapshot), skip=off)
    settings = read_settings(os.environ, concurrency=concurrency, minutes=deadline)
    alerts = read_alerts(config, partial(seen_again, policy, store, organization))
    walk = live(settings, plan, is_verbose=verbose, ending=Ending())
    history = remembering(settings, kept, organization, alerts, is_dry=dry_run)
    with accounting(account, unless_since, history) as night:
        done = night.take(*report(walk, memory=night.memory))
    raise typer.Exit(conclude(*done, fail_on))


def _refuse_options_of_a_walk(context: typer.Context) -> None:
    """Raise UsageError for an option that means nothing where nobody is asked."""
    for name, option in _OF_A_WALK.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"{option} has no effect with --from, which asks nobody and records nothing.",
                help="Leave one of the two out.",
            )


def _what_was_seen(name: str, settings: StoreSettings | None, organization: str | None) -> Snapshot:
    """Return the snapshot in a file, or that of a scan of the history; raise UsageError."""
    if settings is None or Path(name).exists() or not _SCAN.fullmatch(name):
        return read_snapshot(Path(name).expanduser())
    history = open_store(settings, must_exist=True)
    night = history.find(name, organization)
    return parse_snapshot(BytesIO(history.snapshot(night.scan_id)), f"the scan {night.scan_id}")


def _optional(name: str) -> Collection:
    """Return the collection that `--skip` names; raise UsageError for what no scan can do without.

    Without projects, keys and users there would be nothing to judge by.
    """
    if name in OPTIONAL:
        return Collection(name)
    raise UsageError(
        f"--skip {name}: what can be left out is {', '.join(OPTIONAL)}"
        f"{did_you_mean(name, OPTIONAL)}"
    )
