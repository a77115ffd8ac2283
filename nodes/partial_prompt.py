"""Cuts a stored prompt down to one node of ours, what feeds it, and a preview, without which the host runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .origin import IMAGE_NODES
from .prompt_graph import inputs_of, is_link, kind_of

PREVIEW = {"class_type": "PreviewImage", "_meta": {"title": "Preview Image"}}
IMAGES = 0
"""The output with the pictures."""


def prompt_for(prompt: Any, node_id: str) -> dict[str, Any] | None:
    """The part of a prompt that one node needs; None where the node is no image node of this prompt.

    `prompt`: API form, of any shape. `is_changed`, which the host has written into a prompt that it ran, is left out: with it
    the host would take the outcome of that run for the current one, and run nothing.
    """
    nodes = prompt if isinstance(prompt, Mapping) else {}
    if kind_of(nodes.get(node_id)) not in IMAGE_NODES:
        return None
    needed: dict[str, Any] = {}
    waiting = [node_id]
    while waiting:
        name = waiting.pop()
        node = nodes.get(name)
        if name in needed or not isinstance(node, Mapping):
            continue
        needed[name] = {key: value for key, value in node.items() if key != "is_changed"}
        links = [value for value in inputs_of(node).values() if is_link(value) and value]
        waiting += [str(link[0]) for link in links if isinstance(link[0], (str, int))]
    return needed | {_unused(nodes): PREVIEW | {"inputs": {"images": [node_id, IMAGES]}}}


def _unused(nodes: Mapping[str, Any]) -> str:
    """An id that no node has."""
    name = "preview"
    while name in nodes:
        name += "_"
    return name
