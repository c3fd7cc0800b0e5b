"""The tree of a YAML document, held against what PyYAML itself composes."""

from typing import Any

import pytest
import yaml

from scanner.policy.document import Items, Mapping, Node, Scalar, read_document
from scanner.policy_files import policy_text, shipped_policies

ODD = """\
a: &one [1, 0x1, 010, 1:30, 1.5, yes, ~, 2026-01-01, '1', !!str 1, ! 2, !own 3, "", <<]
b: { c: *one, d: x }
e: >-
  folded
  text
"""


def composed(node: Any) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.ScalarNode):
        return Scalar(line, column, node.value, node.tag.rpartition(":")[2])
    if isinstance(node, yaml.SequenceNode):
        return Items(line, column, tuple(composed(item) for item in node.value))
    entries = ((composed(key), composed(value)) for key, value in node.value)
    return Mapping(line, column, tuple((k, v) for k, v in entries if isinstance(k, Scalar)))


@pytest.mark.parametrize("text", [ODD, "[]", "x", "- &a {b: c}\n- *a\n"])
def test_a_tree_is_what_pyyaml_composes(text: str) -> None:
    tree = composed(yaml.compose(text, Loader=yaml.SafeLoader))
    assert read_document(text, "p.yaml") == (tree, ())


@pytest.mark.parametrize("name", shipped_policies())
def test_the_tree_of_each_policy_that_ships_is_what_pyyaml_composes(name: str) -> None:
    text, file = policy_text(name)
    tree = composed(yaml.compose(text, Loader=yaml.SafeLoader))
    assert read_document(text, file) == (tree, ())
