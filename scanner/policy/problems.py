"""Collects all mistakes of a file instead of stopping at the first."""

from collections.abc import Iterable, Mapping

from scanner.errors import PolicyError, Problem
from scanner.policy import document
from scanner.policy.document import Node, Scalar
from scanner.spelling import did_you_mean


class Problems:
    """The mistakes found so far; `rule` names the rule being read, if any."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.rule: str | None = None
        self._found: list[Problem] = []

    @property
    def count(self) -> int:
        """The number of mistakes so far."""
        return len(self._found)

    @property
    def found(self) -> tuple[Problem, ...]:
        """All mistakes in file order, each once."""
        return tuple(sorted(set(self._found)))

    def add(self, node: Node, message: str) -> None:
        """Note one mistake at the place of `node`."""
        prefix = f"rule '{self.rule}': " if self.rule else ""
        self._found.append(
            Problem(
                file=self.file, line=node.line, column=node.column, message=f"{prefix}{message}"
            )
        )

    def include(self, problems: Iterable[Problem]) -> None:
        """Add mistakes that were found elsewhere."""
        self._found.extend(problems)

    def raise_if_any(self) -> None:
        """Raise PolicyError with all mistakes in file order, if there are any."""
        if self._found:
            raise PolicyError(self.found)

    def fields(
        self,
        node: Node,
        what: str,
        *,
        required: tuple[str, ...],
        optional: tuple[str, ...],
        label: str | None = None,
    ) -> Mapping[str, Node]:
        """Return the fields of a mapping; note unknown and missing ones.

        `label` is the field that names the rule in every mistake noted from here on.
        """
        if not isinstance(node, document.Mapping):
            self.add(node, f"{what} must be a mapping with {', '.join(required or optional)}")
            return {}
        allowed = (*required, *optional)
        found: dict[str, Node] = {}
        for key, value in node.entries:
            if key.text == label and isinstance(value, Scalar):
                self.rule = value.text
        for key, value in node.entries:
            if key.text in allowed:
                found[key.text] = value
            else:
                self.add(
                    key, f"unknown key '{key.text}' in {what}{did_you_mean(key.text, allowed)}"
                )
        for name in required:
            if name not in found:
                self.add(node, f"{what} lacks '{name}'")
        return found

    def text(self, node: Node | None, what: str) -> str:
        """Return a text as written, or "" after noting a mistake; "" without one for None."""
        if node is None:
            return ""
        if not isinstance(node, Scalar):
            self.add(node, f"{what} must be text")
        elif node.type == "null":
            self.add(node, f"{what} is empty: add a text")
        elif node.type != "str":
            self.add(
                node,
                f"{what} must be text: YAML reads {node.text or 'an empty value'} as {node.type};"
                f' write "{node.text}"',
            )
        elif not node.text.strip():
            self.add(node, f"{what} must not be empty")
        else:
            return node.text
        return ""

    def prose(self, node: Node | None, what: str) -> str:
        """Return a text for readers, joined to one line; otherwise as `text`."""
        return " ".join(self.text(node, what).split())
