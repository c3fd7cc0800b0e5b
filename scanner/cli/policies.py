"""`keyvigil policies`: list, print, explain, check and compare policies."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer
from rich.table import Table

from scanner.cli.console import ExitCode, counted, err, inert, out, say
from scanner.cli.run import judge_snapshot
from scanner.cli.summary import print_coverage
from scanner.daemon.events import Level
from scanner.errors import UsageError
from scanner.policy.contradictions import contradictions
from scanner.policy.difference import Change, compare
from scanner.policy.explain import GROUPS, explain_fact, explain_operator, explain_rule
from scanner.policy.facts import FACTS
from scanner.policy.operators import Operator
from scanner.policy.schema import policy_schema
from scanner.policy_files import (
    check_policies,
    may_be_policy,
    policy_text,
    read_policies,
    shipped_policies,
    shipped_rules,
)
from scanner.result import ScanResult
from scanner.spelling import did_you_mean
from scanner.wiring import now


def list_() -> None:
    """Print the shipped policies."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Policy", "Rules", "Description"):
        table.add_column(heading)
    for policy in read_policies(shipped_policies()):
        table.add_row(policy.name, str(len(policy.rules)), inert(policy.description))
    out.print(table)


def show(policy: str) -> None:
    """Check a policy, then print its text."""
    read_policies([policy])
    text, _ = policy_text(policy)
    for line in text.splitlines():
        out.print(inert(line), soft_wrap=True)


def explain(word: str | None, policies: Sequence[str] | None) -> None:
    """Print the meaning of a word, or list the words; rules of `policies`, else the shipped."""
    if word is None:
        _print_words()
    elif word in FACTS:
        _print_explained(word, explain_fact(FACTS[word]))
    elif word in tuple(Operator) or word in GROUPS:
        if word in tuple(Operator):
            _print_explained(f"{word} (operator)", explain_operator(Operator(word)))
        if word in GROUPS:
            _print_explained(f"{word} (group of conditions)", [("meaning", GROUPS[word])])
    else:
        named = (rule for read in read_policies(policies or ()) for rule in read.rules)
        rules = {rule.text.id: rule for rule in named} if policies else shipped_rules()
        if word not in rules:
            hint = did_you_mean(word, [*FACTS, *Operator, *GROUPS, *rules])
            raise UsageError(f"Unknown fact, operator or rule '{word}'{hint}")
        _print_explained(word, explain_rule(rules[word]))


def _print_words() -> None:
    words = {"facts": sorted(FACTS), "operators": tuple(Operator), "groups": GROUPS}
    rows = [(kind, ", ".join(names)) for kind, names in words.items()]
    _print_explained("Words of a condition", rows)
    out.print("Run keyvigil policies explain WORD for the meaning of a word.", style="dim")


def _print_explained(word: str, rows: Iterable[tuple[str, str]]) -> None:
    out.print(inert(word, "bold"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for heading, text in rows:
        table.add_row(f"  {heading}", inert(text))
    out.print(table)


def schema() -> None:
    """Print the JSON Schema of the policy language."""
    typer.echo(json.dumps(policy_schema(), indent=2))


def check(policies: Sequence[str], *, skips_others: bool) -> None:
    """Check policies and run their examples; raise PolicyError with every mistake of all files."""
    named = [name for name in policies if not skips_others or may_be_policy(name)]
    for policy in check_policies(named, now().date(), tries_examples=True):
        count = counted(sum(len(rule.examples) for rule in policy.rules), "example")
        bare = [rule.text.id for rule in policy.rules if not rule.examples]
        line = f"{policy.name}: {count} passed"
        without = f"; rules without examples: {', '.join(bare)}" if bare else ""
        out.print(inert(f"{line}{without}"), soft_wrap=True)


def validate(policies: Sequence[str], against: Path | None) -> None:
    """Check policies, and print the number of their findings in a snapshot.

    Raise PolicyError with all mistakes, and typer.Exit if the snapshot lacks required listings.
    """
    results: list[ScanResult] = []
    for policy in check_policies(policies, now().date()):
        out.print(inert(f"{policy.name}: valid, {counted(len(policy.rules), 'rule')}"))
        for rule in policy.rules:
            place = f"{rule.text.file}:{rule.text.line}:{rule.text.column}"
            for message in contradictions(rule):
                say(f"warning: {place}: rule '{rule.text.id}': {message}", level=Level.WARNING)
        for rule_id, reason in policy.disabled.items():
            out.print(inert(f"  disabled: {rule_id}: {reason}"), soft_wrap=True)
        if against is not None:
            results.append(judge_snapshot(against, policy))
            _print_tallies(results[-1])
    _refuse_incomplete(results)


def diff(before: str, after: str, on: Path) -> None:
    """Print the findings that differ between two policies in a snapshot.

    Raise typer.Exit if the snapshot lacks required listings.
    """
    results = [judge_snapshot(on, policy) for policy in read_policies([before, after])]
    changes = compare(*(result.findings for result in results))
    rows = [_row(change) for change in changes]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        out.print(inert("  ".join(cells).rstrip()), soft_wrap=True)
    out.print(f"{counted(len(changes), 'finding')} would differ.")
    _refuse_incomplete(results)


def _row(change: Change) -> tuple[str, ...]:
    finding = change.finding
    project = finding.project
    where = (project.name or project.id) if project else "organization"
    turn = f"{change.before or 'none'} -> {change.after or 'none'}"
    return turn, finding.rule.id, finding.key.id, where, finding.key.name or "unnamed"


def _refuse_incomplete(results: Iterable[ScanResult]) -> None:
    """If a result is incomplete, print the gaps of the first and raise typer.Exit."""
    for result in results:
        if not result.complete:
            print_coverage(result, err)
            raise typer.Exit(ExitCode.INCOMPLETE)


def _print_tallies(result: ScanResult) -> None:
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for heading in ("Rule", "Severity"):
        table.add_column(heading)
    for heading in ("Applied to", "Violated by", "Excepted", "Undetermined"):
        table.add_column(heading, justify="right")
    for tally in result.rules:
        counts = (tally.applied, tally.violated, tally.excepted, tally.undetermined)
        row = (tally.rule.id, tally.rule.severity.value, *(f"{count:,}" for count in counts))
        table.add_row(*row)
    out.print(table)
