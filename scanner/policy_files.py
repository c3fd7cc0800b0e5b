"""Policies by name or file: shipped ones and the operator's own."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Final

from scanner.bundled import POLICIES as BUNDLED
from scanner.bundled import bundled
from scanner.copied import to_read
from scanner.errors import PolicyError, Problem, UsageError
from scanner.finding import ExceptionText
from scanner.lifecycle import PolicySource
from scanner.policy.document import Mapping, Scalar, read_document
from scanner.policy.doubts import expired_exceptions, impossible_rules
from scanner.policy.merge import conflict, differing, merge_rules
from scanner.policy.model import Policy, PolicyText, Rule
from scanner.policy.parse import read_policy
from scanner.policy.trial import failed_examples
from scanner.spelling import did_you_mean

_SUFFIX: Final = ".yaml"
_POLICY_BYTES: Final = 4_000_000
_MOST_STEPS: Final = 32
_POLICY_KEY: Final = re.compile(r"^policy[ \t]*:", re.MULTILINE)


def shipped_policies() -> tuple[str, ...]:
    """Return the names of the policies that ship with KeyVigil."""
    files = (entry.name for entry in bundled(BUNDLED).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


def shipped_rules() -> dict[str, Rule]:
    """Return every shipped rule, by id; the baseline's, if several policies have it."""
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


def may_be_policy(name_or_file: str) -> bool:
    """Whether it is a shipped policy, or a file with a text as `policy` at its top level.

    True also for a file that is not YAML but has a line beginning `policy:`, and for one that
    cannot be read: so their mistakes are reported.
    """
    if not is_file(name_or_file):
        return True
    try:
        with to_read(Path(name_or_file)).open("rb") as file:
            text = file.read(_POLICY_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return True
    return _is_policy(text, name_or_file)


def _is_policy(text: str, shown: str) -> bool:
    try:
        root, _ = read_document(text, shown)
    except PolicyError:
        return bool(_POLICY_KEY.search(text))
    entries = root.entries if isinstance(root, Mapping) else ()
    return any(key.text == "policy" and isinstance(value, Scalar) for key, value in entries)


def is_file(name_or_file: str) -> bool:
    """Whether it is the path of a policy file, and not the name of a shipped policy."""
    path = Path(name_or_file)
    return path.suffix in (".yaml", ".yml") or path.name != name_or_file


class _Reader:
    """Reads policies and those they extend; each file and each shipped policy once.

    `text_of` returns a policy's text and the name to show for it.
    """

    def __init__(self, text_of: Callable[[str], tuple[str, str]]) -> None:
        self._text_of = text_of
        self._read: dict[str, tuple[Policy, tuple[Problem, ...]]] = {}

    def read(
        self, name_or_file: str, through: tuple[str, ...] = ()
    ) -> tuple[Policy, tuple[Problem, ...]]:
        """Return a policy's valid part and its mistakes; paths are relative to the extending file.

        `through` are the policies that extend it. Raise UsageError; PolicyError if it is not YAML.
        """
        identity = _identity(name_or_file)
        if identity in map(_identity, through):
            raise UsageError(f"{name_or_file} extends itself, through {' and '.join(through)}.")
        if len(through) > _MOST_STEPS:
            raise UsageError(f"{name_or_file} is extended by a chain of over {_MOST_STEPS} files.")
        if identity not in self._read:
            text, shown = self._text_of(name_or_file)
            if through and not _is_policy(text, shown):
                raise UsageError(
                    f"{shown} is not a policy file, but {through[-1]} extends it.",
                    help="Correct 'extends': it accepts shipped policies and policy files.",
                )
            folder = Path(name_or_file).parent
            bases: list[PolicyText] = []

            def extend(name: str) -> Policy:
                place = str(folder / name) if is_file(name) else name
                policy, problems = self.read(place, (*through, name_or_file))
                if problems:
                    raise PolicyError(problems)
                bases.extend(_as_base(one) for one in policy.texts)
                return policy

            policy, problems = read_policy(text, shown, extend)
            source = _source(policy.name, text, name_or_file, shown)
            texts = (PolicyText(source, text), *bases)
            self._read[identity] = replace(policy, texts=texts), problems
        return self._read[identity]


def _source(name: str, text: str, place: str, shown: str) -> PolicySource:
    return PolicySource(
        name=name,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        version="" if is_file(place) else version("keyvigil"),
        place=place,
        shown=shown,
    )


def _as_base(one: PolicyText) -> PolicyText:
    return one._replace(source=one.source._replace(is_base=True))


def _identity(name_or_file: str) -> str:
    """Return a value that is equal for all paths of one file."""
    return os.path.realpath(name_or_file) if is_file(name_or_file) else name_or_file


def read_policies(names_or_files: Iterable[str]) -> tuple[Policy, ...]:
    """Read policies, each separately; raise PolicyError with every mistake of every file.

    Raise UsageError if the only mistake is one name that is neither a shipped policy nor a file.
    """
    return _without_mistakes(_read_all(names_or_files))


def check_policies(
    names_or_files: Iterable[str], today: date, *, tries_examples: bool = False
) -> tuple[Policy, ...]:
    """Read policies as `read_policies` does, with more checks that raise PolicyError.

    These are expired exceptions, rules that no key can violate and, if `tries_examples`, examples
    with another outcome than listed.
    """
    readings = []
    for policy, problems, error in _read_all(names_or_files):
        more = [*expired_exceptions(policy, today), *impossible_rules(policy)] if policy else []
        if policy and tries_examples:
            more += failed_examples(policy)
        readings.append((policy, (*problems, *more), error))
    return _without_mistakes(readings)


_Reading = tuple[Policy | None, tuple[Problem, ...], UsageError | None]


def _read_all(
    names_or_files: Iterable[str], text_of: Callable[[str], tuple[str, str]] = policy_text
) -> list[_Reading]:
    """Return for each policy its valid part, its mistakes, and why it could not be read at all."""
    reader = _Reader(text_of)
    readings: list[_Reading] = []
    for name in names_or_files:
        try:
            readings.append((*reader.read(name), None))
        except PolicyError as error:
            readings.append((None, error.problems, None))
        except UsageError as error:
            problem = Problem(file=name, line=1, column=1, message=str(error))
            readings.append((None, (problem,), error))
    return readings


def _without_mistakes(readings: Iterable[_Reading]) -> tuple[Policy, ...]:
    """Return the policies; raise PolicyError with all mistakes, by file and line, each once."""
    policies, problems, errors = zip(*readings, strict=True) if readings else ((), (), ())
    found = sorted({problem for of_one in problems for problem in of_one})
    unreadable = [error for error in errors if error is not None]
    if len(found) == len(unreadable) == 1:
        raise unreadable[0]
    if found:
        raise PolicyError(tuple(found))
    return tuple(policy for policy in policies if policy is not None)


def load_policies(names_or_files: Sequence[str]) -> tuple[Policy, ...]:
    """Read the policies of a scan; raise as `read_policies` does, and UsageError for conflicts."""
    different: dict[str, str] = {}
    for name in names_or_files:
        different.setdefault(_identity(name), name)
    names = tuple(different.values())
    policies = read_policies(names)
    for name, policy in zip(names, policies, strict=True):
        if is_file(name) and policy.name in shipped_policies():
            raise UsageError(
                f"{name} has the name '{policy.name}' of a shipped policy.",
                help="Give it another name, so that reports distinguish the two.",
            )
    return tuple(_each_rule_once(policies))


def recorded_policies(sources: Sequence[PolicySource], texts: dict[str, str]) -> tuple[Policy, ...]:
    """Read policies as a scan recorded them; `texts` are by digest.

    Raise UsageError for a text that is not kept, and PolicyError for one that this version of
    KeyVigil cannot read.
    """
    known = {source.place: source for source in sources}

    def text_of(place: str) -> tuple[str, str]:
        source = known.get(place)
        if source is None or source.digest not in texts:
            raise UsageError(
                f"The text of the policy {place} is not recorded.",
                help="Name the file: --policy FILE.",
            )
        return texts[source.digest], source.shown

    roots = (source.place for source in sources if not source.is_base)
    return tuple(_each_rule_once(_without_mistakes(_read_all(roots, text_of))))


def _each_rule_once(policies: Sequence[Policy]) -> Iterator[Policy]:
    """Yield the policies with each rule id once, as a finding is identified by it.

    A rule that several policies define equally stays in the first, with the controls of all; so
    does an exception that several contain. Raise UsageError for a rule that they define
    differently.
    """
    _refuse_equal_names(policies)
    rules: dict[str, Rule] = {}
    for rule in (rule for policy in policies for rule in policy.rules):
        merged, *others = merge_rules([*filter(None, [rules.get(rule.text.id)]), rule])
        if others:
            fields = " and ".join(f"'{field}'" for field in differing(merged, others[0]))
            raise UsageError(
                f"The {conflict(merged, others[0])}.",
                help=f"Use only one of the two, or write a policy that extends both and sets"
                f" {fields} of the rule.",
            )
        rules[rule.text.id] = merged
    excepted: set[ExceptionText] = set()
    for policy in policies:
        own = tuple(rule for rule in rules.values() if rule.text.policy == policy.name)
        exemptions = tuple(e for e in policy.exemptions if e.text not in excepted)
        excepted.update(e.text for e in exemptions)
        yield replace(policy, rules=own, exemptions=exemptions)


def _refuse_equal_names(policies: Iterable[Policy]) -> None:
    for name, count in Counter(policy.name for policy in policies).items():
        if count > 1:
            raise UsageError(f"There are two policies named '{name}'.", help="Remove one.")
