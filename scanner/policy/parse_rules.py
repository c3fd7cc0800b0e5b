"""The rules of a policy: its own, and those that it inherits, changes or disables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from scanner.policy.document import Items, Mapping, Node, Scalar
from scanner.policy.merge import conflict, differing, merge_rules
from scanner.policy.model import Policy, Rule
from scanner.policy.parse_rule import (
    REQUIRED,
    parse_change,
    parse_override,
    parse_rule,
)
from scanner.policy.problems import Problems
from scanner.spelling import did_you_mean


class Rules:
    """All rules of the policy `name`, by id; several definitions of one are a conflict.

    Unless `is_sure`, there may be more inherited rules than `bases` have.
    """

    def __init__(
        self, name: str, bases: Sequence[Policy], problems: Problems, *, is_sure: bool
    ) -> None:
        self._name = name
        self._problems = problems
        self._is_sure = is_sure
        self._by_id: dict[str, list[Rule]] = {}
        for rule in (rule for base in bases for rule in base.rules):
            self._by_id[rule.text.id] = merge_rules([*self._by_id.get(rule.text.id, ()), rule])
        self._inherited = dict(self._by_id)
        self._disabled = {
            rule_id: reason for base in bases for rule_id, reason in base.disabled.items()
        }
        self._unsound: set[str] = set()
        self._first_lines: dict[str, int] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """The ids of all rules, including those with mistakes and those that it disables."""
        return tuple(dict.fromkeys((*self._inherited, *self._first_lines)))

    @property
    def disabled(self) -> dict[str, str]:
        """The reasons of the rules that are disabled."""
        return {one: reason for one, reason in self._disabled.items() if one not in self._by_id}

    def sound(self) -> Iterator[Rule]:
        """Yield the rules without a mistake, as the policy's own."""
        for rule_id, definitions in self._by_id.items():
            if rule_id not in self._unsound:
                text = replace(definitions[0].text, policy=self._name)
                yield replace(definitions[0], text=text)

    def read(self, node: Node | None) -> None:
        """Read the policy's own list."""
        if node is None:
            return
        is_filled = isinstance(node, Items) and (node.items or self._inherited or not self._is_sure)
        if not isinstance(node, Items) or not is_filled:
            self._problems.add(node, "'rules' must be a list of at least one rule")
            return
        for item in node.items:
            self._read(item)

    def refuse_conflicts(self, extends: Node | None) -> None:
        """Note the rules that the extended policies define differently."""
        for rule_id, definitions in self._by_id.items():
            if extends is None or rule_id in self._unsound or len(definitions) == 1:
                continue
            one, other, *_ = definitions
            fields = " and ".join(f"'{field}'" for field in differing(one, other))
            self._unsound.add(rule_id)
            self._problems.add(
                extends,
                f"the {conflict(one, other)}; set {fields} for it under 'rules', disable it"
                " there, or extend only one of the two",
            )

    def _read(self, item: Node) -> None:
        id_node = _field(item, "id")
        rule_id = self._note_id(id_node)
        before = self._problems.count
        definitions = self._inherited.get(rule_id)
        if definitions:
            self._override(rule_id, item, definitions)
        elif id_node and self._inherited and self._is_sure and not _field(item, "violated_when"):
            hint = did_you_mean(rule_id, self._inherited)
            self._problems.add(id_node, f"no extended policy has a rule '{rule_id}'{hint}")
        elif self._is_sure or all(_field(item, name) for name in REQUIRED):
            rule = parse_rule(item, self._name, self._problems)
            if rule is not None:
                self._by_id[rule.text.id] = [rule]
        else:
            parse_change(item, self._problems)
        if self._problems.count > before:
            self._unsound.add(rule_id)

    def _override(self, rule_id: str, item: Node, definitions: Sequence[Rule]) -> None:
        """Change each definition; different ones can become equal."""
        changed: list[Rule] = []
        for number, base in enumerate(definitions):
            problems = self._problems if number == 0 else Problems(self._problems.file)
            read = parse_override(item, base, problems)
            if isinstance(read, str):
                self._disabled[rule_id] = read
                self._by_id.pop(rule_id, None)
                return
            changed.append(read)
        self._by_id[rule_id] = merge_rules(changed)

    def _note_id(self, id_node: Node | None) -> str:
        """Return a rule's id; note a duplicate, as findings are identified by it."""
        if not isinstance(id_node, Scalar):
            return ""
        if id_node.text in self._first_lines:
            first = self._first_lines[id_node.text]
            self._problems.add(
                id_node, f"rule '{id_node.text}': duplicate id, first on line {first}"
            )
        else:
            self._first_lines[id_node.text] = id_node.line
        return id_node.text


def _field(node: Node, name: str) -> Node | None:
    entries = node.entries if isinstance(node, Mapping) else ()
    return next((value for key, value in entries if key.text == name), None)
