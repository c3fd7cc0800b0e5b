"""Print remediation plans and actions on the terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from scanner.announce_acts import in_words, is_done, went_well
from scanner.cli.console import counted, inert, tell
from scanner.receipt import Act, Revocation, Spared
from scanner.revocation import Action, Held, Mode, Plan


def print_plan(plan: Plan, console: Console) -> None:
    """Print the due, waiting and skipped keys, with every reason."""
    if not (plan.due or plan.waiting or plan.held):
        console.print("No finding violates a rule that requests revocation.")
        return
    if plan.refusal:
        tell(console, inert(f"{plan.refusal}.", "bold red"))
    _print_actions("Due", plan.due, console)
    _print_actions("Waiting", plan.waiting, console)
    if plan.held:
        console.print(Text(f"Skipped: {counted(len(plan.held), 'key')}", style="bold"))
        for held in plan.held:
            tell(console, inert(f"  {_line(held)}"))
            for reason in held.reasons:
                tell(console, inert(f"    {reason}", "dim"))


def print_revocation(revocation: Revocation, console: Console) -> None:
    """Print a summary, and the actions since the previous scan."""
    plan = revocation.plan
    done = sum(map(is_done, revocation.acts))
    touched = {act.intent.key_id for act in revocation.acts}
    touched |= {spared.action.key_id for spared in revocation.spared}
    due = sum(action.key_id not in touched for action in plan.due)
    counts = (
        (done, "revoked"),
        (due, "due"),
        (len(plan.waiting), "in the grace period"),
        (sum(not went_well(act) for act in revocation.acts), "failed or uncertain"),
        (len(plan.held) + len(revocation.spared), "skipped"),
    )
    said = ", ".join(f"{count:,} {word}" for count, word in counts if count) or "no keys"
    mode = "plan only" if revocation.mode is Mode.PLAN else revocation.mode.value
    console.print(f"Revocation ({mode}): {said}.")
    if plan.refusal:
        tell(console, inert(f"  {plan.refusal}.", "bold red"))
    for act in revocation.acts:
        print_act(act, console)
    for spared in revocation.spared:
        print_spared(spared, console)


def print_act(act: Act, console: Console) -> None:
    """Print the result of an action."""
    intent = act.intent
    where = intent.project or "the organization"
    name = f"{intent.key_id}  {intent.key_name or 'unnamed'} in {where}"
    taken_back = f", undo of {intent.undoes}" if intent.undoes else ""
    said = f"  {name}: {in_words(act)}{taken_back}"
    tell(console, inert(said, "" if went_well(act) else "bold red"))


def print_spared(spared: Spared, console: Console) -> None:
    """Print a due key that was skipped when it was read again, with the reason."""
    tell(console, inert(f"  {_line(spared.action)}: skipped. {spared.reason}", "yellow"))


def _print_actions(heading: str, actions: Iterable[Action], console: Console) -> None:
    listed = tuple(actions)
    if not listed:
        return
    console.print(Text(f"{heading}: {counted(len(listed), 'key')}", style="bold"))
    for action in listed:
        tell(console, inert(f"  {_line(action)}"))
        when = f"{action.due_at:%Y-%m-%d %H:%M} UTC, notified {action.announced_at:%Y-%m-%d %H:%M}"
        tell(console, inert(f"    {action.method.value} on {when}; {action.evidence}", "dim"))


def _line(one: Action | Held) -> str:
    where = one.project or "the organization"
    return f"{one.key_id}  {one.key_name or 'unnamed'} in {where}, {one.owner or 'owner unknown'}"
