"""Merges the definitions of one rule in several policies. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from scanner.policy.model import Exemption, Rule


def merge_rules(rules: Iterable[Rule]) -> list[Rule]:
    """Return the different definitions of one rule, each as in the first policy that has it.

    Definitions that differ only in texts and controls are merged, with the controls of all.
    """
    merged: list[Rule] = []
    for rule in rules:
        for number, first in enumerate(merged):
            if not differing(first, rule):
                controls = tuple(dict.fromkeys((*first.text.controls, *rule.text.controls)))
                merged[number] = replace(first, text=replace(first.text, controls=controls))
                break
        else:
            merged.append(rule)
    return merged


def differing(one: Rule, other: Rule) -> tuple[str, ...]:
    """Return the fields, other than texts and controls, in which two definitions differ."""
    pairs = {
        "severity": (one.text.severity, other.text.severity),
        "severity_when": (one.steps, other.steps),
        "applies_to": (one.applies_to, other.applies_to),
        "violated_when": (one.violated_when, other.violated_when),
        "respond": (one.respond, other.respond),
    }
    return tuple(name for name, (first, second) in pairs.items() if first != second)


def conflict(one: Rule, other: Rule) -> str:
    """Return a clause with the policies that define a rule differently, their places and fields."""
    fields = ", ".join(differing(one, other))
    first, second = (f"'{t.policy}' ({t.file}:{t.line})" for t in (one.text, other.text))
    return f"policies {first} and {second} define the rule '{one.text.id}' differently: {fields}"


def each_once(exemptions: Iterable[Exemption]) -> tuple[Exemption, ...]:
    """Return the exceptions, each once: those read from the same place are equal."""
    return tuple({exemption.text: exemption for exemption in exemptions}.values())
