"""Reads a prompt in API form: which node a link leads to, and which constants are known before the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any


class PromptGraph:
    """A prompt: node id -> {"class_type", "inputs"}. Its content may have any shape."""

    def __init__(self, prompt: Mapping[str, Any]) -> None:
        self._prompt = prompt

    def nodes(self, kinds: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """Id and content of every node whose class is one of `kinds`."""
        return [(str(name), node) for name, node in self._prompt.items() if kind_of(node) in kinds]

    def is_linked(self, node: Mapping[str, Any], output: int) -> bool:
        """Whether something is linked to an output of a node, by its place from 0."""
        name = next((name for name, each in self._prompt.items() if each is node), None)
        return (str(name), output) in self._linked_outputs

    @cached_property
    def _linked_outputs(self) -> set[tuple[str, float]]:
        return linked_outputs(self._prompt)

    def source(self, link: Any) -> Mapping[str, Any]:
        """The node that a link leads to; {} where it leads nowhere."""
        name = link[0] if is_link(link) and link else None
        node = self._prompt.get(str(name)) if isinstance(name, (str, int)) else None
        return node if isinstance(node, Mapping) else {}

    def constant(self, link: Any) -> Any:
        """What one of the host's Primitive nodes gives; None for any other node."""
        node = self.source(link)
        value = inputs_of(node).get("value") if kind_of(node).startswith("Primitive") else None
        return value if isinstance(value, (str, int, float, bool)) else None


def linked_outputs(prompt: Any) -> set[tuple[str, float]]:
    """The outputs that an input is linked to: the id of the node, and the place of the output from 0."""
    nodes = prompt.values() if isinstance(prompt, Mapping) else ()
    links = (value for node in nodes if isinstance(node, Mapping) for value in inputs_of(node).values())
    return {
        (str(link[0]), link[1])
        for link in links
        if is_link(link) and len(link) == 2 and isinstance(link[1], (int, float))
    }


def is_link(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def kind_of(node: Any) -> str:
    """Class of a node, "" where it has none."""
    kind = node.get("class_type") if isinstance(node, Mapping) else None
    return kind if isinstance(kind, str) else ""


def inputs_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    inputs = node.get("inputs")
    return inputs if isinstance(inputs, Mapping) else {}
