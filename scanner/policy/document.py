"""YAML text -> a tree of nodes with their places, within size limits."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from scanner.errors import PolicyError, Problem

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000

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
    """Keys and values in their written order; every key is unique."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, "Node"], ...]


Node = Scalar | Items | Mapping
"""Anything in the document; `line` and `column` count from 1."""

_WHOLE: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,17}))(?:\.0*)?")
_YES: Final = ("true", "yes", "on")


def whole_number(node: Node) -> int | None:
    """Return the whole number of a node such as 5 or 5.0; None for any other node.

    Also None for notations that YAML versions read differently: 010, 0x10, 1_000, 1:30.
    """
    if not isinstance(node, Scalar) or node.type not in ("int", "float"):
        return None
    match = _WHOLE.fullmatch(node.text)
    return int(match[1]) if match else None


def truth(node: Node) -> bool | None:
    """Return the value of a node that YAML reads as true or false; None for any other node."""
    if not isinstance(node, Scalar) or node.type != "bool":
        return None
    return node.text.lower() in _YES


def read_document(text: str, file: str) -> tuple[Node, tuple[Problem, ...]]:
    """Parse one YAML document; return it with the problems of duplicate and non-text keys.

    Raise PolicyError if it is not plain, safe YAML.
    """
    if len(text) > MAX_CHARACTERS:
        raise _refused(file, 1, 1, f"the file is larger than {MAX_CHARACTERS:,} characters")
    builder = _Builder(text, file)
    try:
        tree = builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _refused(file, line, column, f"not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line, column = _position(text, error.position)
        raise _refused(file, line, column, f"not YAML: {error.reason}") from None
    except yaml.YAMLError as error:
        raise _refused(file, 1, 1, f"not YAML: {error}") from None
    return tree, tuple(builder.problems)


class _Builder:
    """Turns PyYAML's events into the tree and notes duplicate and non-text keys.

    An alias is the node of its anchor, and its size counts again.
    """

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._loader = _Loader(text)
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def document(self) -> Node:
        """Return the root of the only document."""
        start, first = self._loader.get_event(), self._loader.get_event()
        if first.__class__ is yaml.StreamEndEvent:
            raise self._refused(start, "the file is empty")
        root = self._build(self._loader.get_event(), 0)
        _end, after = self._loader.get_event(), self._loader.get_event()
        if after.__class__ is not yaml.StreamEndEvent:
            raise self._refused(
                after, "a second YAML document begins here; a file must contain only one"
            )
        return root

    def _build(self, event: Any, depth: int) -> Node:  # noqa: ANN401 - PyYAML's events are untyped
        if event.__class__ is yaml.AliasEvent:
            return self._repeated(event, depth)
        self._count(event, 1, depth)
        if event.anchor is None:
            return self._fresh(event, depth)
        if event.anchor in self._anchors:
            raise self._refused(event, f"duplicate anchor '&{event.anchor}'")
        node = self._anchors[event.anchor] = self._fresh(event, depth)
        return node

    def _fresh(self, event: Any, depth: int) -> Node:  # noqa: ANN401
        mark, made = event.start_mark, event.__class__
        if made is yaml.ScalarEvent:
            tag = event.tag
            if tag is None or tag == "!":
                tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
            return Scalar(mark.line + 1, mark.column + 1, event.value, tag.rpartition(":")[2])
        if made is yaml.SequenceStartEvent:
            items = tuple(self._items(depth + 1))
            return Items(mark.line + 1, mark.column + 1, items)
        entries = tuple(self._entries(depth + 1))
        return Mapping(mark.line + 1, mark.column + 1, entries)

    def _items(self, depth: int) -> Iterator[Node]:
        while (event := self._loader.get_event()).__class__ is not yaml.SequenceEndEvent:
            yield self._build(event, depth)

    def _entries(self, depth: int) -> Iterator[tuple[Scalar, Node]]:
        first_lines: dict[str, int] = {}
        while (event := self._loader.get_event()).__class__ is not yaml.MappingEndEvent:
            key = self._build(event, depth)
            value = self._build(self._loader.get_event(), depth)
            if not isinstance(key, Scalar):
                self._note(key, "a key must be plain text")
            elif key.text in first_lines:
                first = first_lines[key.text]
                self._note(key, f"'{key.text}' is a duplicate key, first on line {first}")
            else:
                first_lines[key.text] = key.line
                yield key, value

    def _repeated(self, alias: Any, depth: int) -> Node:  # noqa: ANN401
        node = self._anchors.get(alias.anchor)
        if node is None:
            raise self._refused(
                alias, f"the alias '*{alias.anchor}' refers to no complete value above it"
            )
        nodes, levels = _measure(node)
        self._count(alias, nodes, depth + levels)
        return node

    def _count(self, event: Any, nodes: int, depth: int) -> None:  # noqa: ANN401
        self._nodes += nodes
        if depth > MAX_DEPTH:
            raise self._refused(event, f"nested more than {MAX_DEPTH} levels deep")
        if self._nodes > MAX_NODES:
            raise self._refused(event, f"more than {MAX_NODES:,} values after expanding aliases")

    def _refused(self, event: Any, message: str) -> PolicyError:  # noqa: ANN401
        mark = event.start_mark
        return _refused(self._file, mark.line + 1, mark.column + 1, message)

    def _note(self, node: Node, message: str) -> None:
        self.problems.append(
            Problem(file=self._file, line=node.line, column=node.column, message=message)
        )


def _measure(node: Node) -> tuple[int, int]:
    """Return the number of nodes of a tree, including its root, and of levels below the root."""
    if isinstance(node, Scalar):
        return 1, 0
    parts = node.items if isinstance(node, Items) else [p for entry in node.entries for p in entry]
    below = [_measure(part) for part in parts]
    nodes = 1 + sum(count for count, _ in below)
    return nodes, max((levels + 1 for _, levels in below), default=0)


def _refused(file: str, line: int, column: int, message: str) -> PolicyError:
    return PolicyError((Problem(file=file, line=line, column=column, message=message),))


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")
