"""YAML text -> a tree that knows where everything stands, within bounds."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from scanner.errors import PolicyError, Problem

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000

_STEPS: Final = {
    yaml.MappingStartEvent: 1,
    yaml.SequenceStartEvent: 1,
    yaml.MappingEndEvent: -1,
    yaml.SequenceEndEvent: -1,
}
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(NamedTuple):
    """A single value: its text as written and the YAML type it resolves to (`str`, `bool`, ...)."""

    line: int
    column: int
    text: str
    type: str


class Items(NamedTuple):
    """A list."""

    line: int
    column: int
    items: tuple["Node", ...]


class Mapping(NamedTuple):
    """Keys and values in the order written; every key stands once."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, "Node"], ...]


Node = Scalar | Items | Mapping
"""Anything in the document; `line` and `column` count from 1."""


def read_document(text: str, file: str) -> Node:
    """Parse one YAML document; raise PolicyError with every place that is not plain, safe YAML."""
    if len(text) > MAX_CHARACTERS:
        raise _refused(file, 1, 1, f"the file is larger than {MAX_CHARACTERS:,} characters")
    try:
        _check_depth(text, file)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _refused(file, line, column, f"not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line, column = _position(text, error.position)
        raise _refused(file, line, column, f"not YAML: {error.reason}") from None
    except yaml.YAMLError as error:
        raise _refused(file, 1, 1, f"not YAML: {error}") from None
    if root is None:
        raise _refused(file, 1, 1, "the file is empty")
    builder = _Builder(file)
    tree = builder.build(root, depth=0)
    if builder.problems:
        raise PolicyError(tuple(builder.problems))
    return tree


def _check_depth(text: str, file: str) -> None:
    """Refuse deep nesting before anything recurses into it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += _STEPS.get(event.__class__, 0)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _refused(file, line, 1, f"nested more than {MAX_DEPTH} deep")


class _Builder:
    """Turns PyYAML's nodes into ours and notes duplicate and non-text keys."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._nodes = 0

    def build(self, node: Any, depth: int) -> Node:  # noqa: ANN401 - PyYAML's nodes are untyped
        mark = node.start_mark
        line, column = mark.line + 1, mark.column + 1
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _refused(self.file, line, column, "aliases expand to more than a policy can hold")
        if node.__class__ is yaml.ScalarNode:
            kind = node.tag.rpartition(":")[2]
            return Scalar(line, column, node.value, kind)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(self.build(item, depth + 1) for item in node.value)
            return Items(line, column, items)
        entries = tuple(self._entries(node, depth))
        return Mapping(line, column, entries)

    def _entries(self, node: Any, depth: int) -> Iterator[tuple[Scalar, Node]]:  # noqa: ANN401
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self.build(key_node, depth + 1)
            value = self.build(value_node, depth + 1)
            if not isinstance(key, Scalar):
                self._note(key, "a key must be plain text")
            elif key.text in first_lines:
                first = first_lines[key.text]
                self._note(key, f"'{key.text}' stands twice, first on line {first}")
            else:
                first_lines[key.text] = key.line
                yield key, value

    def _note(self, node: Node, message: str) -> None:
        self.problems.append(
            Problem(file=self.file, line=node.line, column=node.column, message=message)
        )


def _refused(file: str, line: int, column: int, message: str) -> PolicyError:
    return PolicyError((Problem(file=file, line=line, column=column, message=message),))


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")
