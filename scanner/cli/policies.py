"""`keyvigil policies`: what ships, what a policy says, whether a file is right."""

from typing import Annotated

import typer
from rich.table import Table

from scanner.cli.console import inert, out
from scanner.wiring import load_policies, policy_text, shipped_policies, try_examples

app = typer.Typer(no_args_is_help=True, help="The policies that ship, and your own.")

_NameOrFile = Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)]


@app.command("list")
def list_() -> None:
    """List the policies that ship with KeyVigil."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Policy", "Rules", "Description"):
        table.add_column(heading)
    for policy in load_policies(shipped_policies()):
        table.add_row(policy.name, str(len(policy.rules)), inert(policy.description))
    out.print(table)


@app.command()
def show(policy: _NameOrFile) -> None:
    """Print a policy as it is written, after checking it."""
    load_policies([policy])
    text, _ = policy_text(policy)
    for line in text.splitlines():
        out.print(inert(line), soft_wrap=True)


@app.command("test")
def test_(policies: Annotated[list[str], typer.Argument(metavar="NAME|FILE...")]) -> None:
    """Try the examples of each rule: every one that comes out otherwise than it says."""
    for name in policies:
        policy = try_examples(name)
        count = sum(len(rule.examples) for rule in policy.rules)
        bare = [rule.text.id for rule in policy.rules if not rule.examples]
        said = f"{policy.name}: {count} example{'' if count == 1 else 's'} as expected"
        without = f"; without any: {', '.join(bare)}" if bare else ""
        out.print(inert(f"{said}{without}"), soft_wrap=True)


@app.command()
def validate(policies: Annotated[list[str], typer.Argument(metavar="NAME|FILE...")]) -> None:
    """Check policies without credentials or network: every mistake at its line, or their rules."""
    for policy in load_policies(policies):
        rules = len(policy.rules)
        out.print(inert(f"{policy.name}: valid, {rules} rule{'' if rules == 1 else 's'}"))
