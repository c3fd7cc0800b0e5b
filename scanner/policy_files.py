"""Policies by name or file: those that ship, and those of people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from scanner.bundled import POLICIES as BUNDLED
from scanner.bundled import bundled
from scanner.copied import to_read
from scanner.errors import PolicyError, Problem, UsageError
from scanner.policy.model import Policy, Rule
from scanner.policy.parse import parse_policy
from scanner.policy.trial import failed_examples
from scanner.spelling import did_you_mean

_SUFFIX: Final = ".yaml"
_POLICY_BYTES: Final = 4_000_000


def shipped_policies() -> tuple[str, ...]:
    """Return the names of the policies that ship with KeyVigil."""
    files = (entry.name for entry in bundled(BUNDLED).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


def shipped_rules() -> dict[str, Rule]:
    """Return every rule that ships, by id; as the baseline has it, where several do."""
    names = ("baseline", *shipped_policies())
    policies = read_policies(names)
    return {rule.text.id: rule for policy in reversed(policies) for rule in policy.rules}


def policy_text(name_or_file: str) -> tuple[str, str]:
    """Return a policy's text and the name to show for it, by shipped name or by file.

    A word with a slash or a .yaml or .yml ending is a file. Raise UsageError or PolicyError.
    """
    names_file = is_file(name_or_file)
    if not names_file and name_or_file not in shipped_policies():
        hint = did_you_mean(name_or_file, shipped_policies())
        raise UsageError(
            f"There is no policy '{name_or_file}'{hint}",
            help="Name a shipped policy (keyvigil policies list) or a .yaml file.",
        )
    shipped = f"{name_or_file}{_SUFFIX}"
    source = to_read(Path(name_or_file)) if names_file else bundled(BUNDLED) / shipped
    shown = name_or_file if names_file else f"{BUNDLED}/{shipped}"
    try:
        with source.open("rb") as file:
            content = file.read(_POLICY_BYTES + 1)
        if len(content) > _POLICY_BYTES:
            raise UsageError(f"The policy {shown} is larger than {_POLICY_BYTES:,} bytes.")
        return content.decode("utf-8-sig"), shown
    except OSError as error:
        raise UsageError(
            f"The policy {name_or_file} cannot be read: {error.strerror}.",
            help="Check the path, or name a shipped policy (keyvigil policies list).",
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem(file=shown, line=line, column=1, message="the file is not UTF-8 text")
        raise PolicyError((problem,)) from None


def is_file(name_or_file: str) -> bool:
    """Whether that is a policy's file, and not the name of one that ships."""
    path = Path(name_or_file)
    return path.suffix in (".yaml", ".yml") or path.name != name_or_file


def _load_policy(name_or_file: str, through: tuple[str, ...] = ()) -> Policy:
    """Read a policy and those it extends; a file among them is looked for beside it.

    `through` are those that led here. Raise UsageError or PolicyError.
    """
    if name_or_file in through:
        raise UsageError(f"{name_or_file} extends itself, by way of {' and '.join(through)}.")
    text, shown = policy_text(name_or_file)
    folder = Path(name_or_file).parent

    def extend(name: str) -> Policy:
        place = str(folder / name) if is_file(name) else name
        return _load_policy(place, (*through, name_or_file))

    return parse_policy(text, shown, extend)


def read_policies(names_or_files: Iterable[str]) -> tuple[Policy, ...]:
    """Read policies, each by itself; raise PolicyError with every mistake of every file.

    Raise UsageError for what is no policy's name or file.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for name in names_or_files:
        try:
            policies.append(_load_policy(name))
        except PolicyError as error:
            problems.extend(error.problems)
    if problems:
        raise PolicyError(tuple(problems))
    return tuple(policies)


def load_policies(names_or_files: Sequence[str]) -> tuple[Policy, ...]:
    """Read the policies to scan by; raise as `read_policies` does, and for those that clash."""
    policies = read_policies(names_or_files)
    for name, policy in zip(names_or_files, policies, strict=True):
        if is_file(name) and policy.name in shipped_policies():
            raise UsageError(
                f"{name} calls itself '{policy.name}', as a shipped policy does.",
                help="Give it a name of its own, so that reports tell the two apart.",
            )
    return tuple(_each_rule_once(policies))


def try_examples(name_or_file: str) -> Policy:
    """Read a policy and try its examples; raise PolicyError with each that fails."""
    (policy,) = read_policies([name_or_file])
    _, shown = policy_text(name_or_file)
    failed = tuple(failed_examples(policy, shown))
    if failed:
        raise PolicyError(failed)
    return policy


def _each_rule_once(policies: Iterable[Policy]) -> Iterator[Policy]:
    """One rule id, one rule: a finding is known by it from night to night.

    What several policies have alike stays with the first. Raise UsageError for what they do not.
    """
    seen: dict[str, Rule] = {}
    names: set[str] = set()
    for policy in policies:
        if policy.name in names:
            raise UsageError(f"There are two policies '{policy.name}'.", help="Leave one out.")
        names.add(policy.name)
        own = []
        for rule in policy.rules:
            first = seen.setdefault(rule.text.id, rule)
            if first is rule:
                own.append(rule)
            elif first != replace(rule, text=replace(rule.text, policy=first.text.policy)):
                raise UsageError(
                    f"The rule '{rule.text.id}' says one thing in policy '{first.text.policy}' and"
                    f" another in policy '{policy.name}'.",
                    help="Leave one of the two out, or give the rule another id.",
                )
        yield replace(policy, rules=tuple(own))
