"""`keyvigil revoke journal` and `revoke undo`: list actions on keys, and undo them."""

import json
import os

import typer

from scanner.cli.choosing import chosen, file_settings
from scanner.cli.console import counted, inert, out, say, show_error, tell, worst
from scanner.cli.job import job_of, seen_again_for
from scanner.cli.memory import remembering
from scanner.cli.revocation_shown import print_act
from scanner.cli.revoking import failed, hands, whose
from scanner.enforce import make, settle
from scanner.errors import StoreError, UsageError
from scanner.receipt import Entry, broken_at
from scanner.settings import read_settings, read_store_settings, store_settings
from scanner.store.journal import acts_of
from scanner.undo import find, undoing
from scanner.wiring import now, open_store


def journal(store: str | None, organization: str | None, *, as_json: bool) -> None:
    """Print the actions on keys, oldest first."""
    kept = _journals(store, organization)
    if as_json:
        for name, entries in kept.items():
            for entry in entries:
                typer.echo(json.dumps({"organization": name, **entry._asdict()}))
        return
    if not kept:
        out.print("The journal has no entries.")
    for name, entries in kept.items():
        out.print(inert(name, "bold"))
        for act in acts_of(entries, name):
            print_act(act, out)
            when = f"{act.intent.at:%Y-%m-%d %H:%M} UTC by {act.intent.by}"
            why = f"{act.intent.rule}: {act.intent.evidence}" if act.intent.rule else ""
            tell(out, inert(f"    {when}{f'; {why}' if why else ''}", "dim"))


def verify(store: str | None, organization: str | None) -> None:
    """Print the last hash of each journal; raise StoreError if one was changed."""
    broken = []
    for name, entries in _journals(store, organization).items():
        number = broken_at(entries)
        if number is None:
            count = f"{counted(len(entries), 'entry').replace('entrys', 'entries')}"
            tell(out, inert(f"{name}: {count}, verified. Last hash: {entries[-1].hash}"))
        else:
            broken.append(f"{name} at entry {number:,}")
    if broken:
        raise StoreError(
            f"The journal was changed: {', '.join(broken)}.",
            help="Find out who wrote to the database. No key will be revoked with this journal.",
        )


def undo(context: typer.Context, receipt: str) -> None:
    """Undo one revocation and print the result; raise typer.Exit."""
    job = job_of(chosen(context), file_settings(context).organizations)
    settings = read_settings(job.chosen, os.environ, job.key)
    kept, again = store_settings(job.chosen, os.environ), seen_again_for(job)
    config = job.chosen.config
    with remembering(settings, kept, job.name, config, again, is_dry=False) as memory:
        if memory is None or memory.lease is None:
            raise UsageError("Undo requires a history, which contains the receipts.")
        acts = memory.store.journal(memory.lease)
        with hands(memory, acts, whose(memory.lease)) as acting:
            for settled in settle(acting):
                print_act(settled, out)
            act = find(acts.acts(), receipt)
            intent = act.intent
            look = acting.revoker.look(intent.key_id, intent.project_id, whole=False)
            back = undoing(act, look.key, now(), whose(memory.lease))
            acts.begin(back, frozenset(), lambda _acts: "")
            done = make(back, acting)
    print_act(done, out)
    outcome = done.outcome
    if outcome and outcome.expires_at and intent.expires_at is None and back.expires_in:
        say("The key had no expiry before. The latest possible one was set: the API removes none.")
    raise typer.Exit(worst(show_error(error) for error in failed([done])))


def _journals(store: str | None, organization: str | None) -> dict[str, tuple[Entry, ...]]:
    settings = read_store_settings(os.environ, store)
    if settings is None:
        raise UsageError("The journal requires a history.", help="Omit --store none.")
    history = open_store(settings, must_exist=True)
    wanted = history.names.history_of(organization) if organization else None
    kept = sorted(history.journals().items())
    return {
        history.names.shown_name(one): entries for one, entries in kept if wanted in (None, one)
    }
