"""Reads an example in the API form and its outputs: which files it loads, which nodes made a saved image, what that cost."""

import json
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

Prompt = Mapping[str, Mapping[str, Any]]
Infos = Mapping[str, Mapping[str, Any]]
"""The `info` of each of our nodes by node id."""


def inputs_named(prompt: Prompt) -> list[str]:
    """The files that the prompt's LoadImage nodes (masks too) name, without ComfyUI's ` [input]` mark."""
    loading = [node for node in prompt.values() if str(node.get("class_type", "")).startswith("LoadImage")]
    names = [node["inputs"].get("image") for node in loading]
    return sorted({name.removesuffix(" [input]") for name in names if isinstance(name, str)})


def sources(prompt: Prompt, node: str) -> Iterator[str]:
    """The nodes a node gets something from."""
    for value in prompt.get(node, {}).get("inputs", {}).values():
        if isinstance(value, list) and len(value) == 2 and str(value[0]) in prompt:
            yield str(value[0])


def above(prompt: Prompt, node: str) -> list[str]:
    """Every node above a node, the nearest first."""
    found: dict[str, None] = {}
    level = [node]
    while level:
        level = [source for name in level for source in sources(prompt, name) if source not in found]
        found.update(dict.fromkeys(level))
    return list(found)


def made_by(prompt: Prompt, node: str, makers: Collection[str]) -> str | None:
    """The nearest of `makers` above a node, None if there is none."""
    return next((name for name in above(prompt, node) if name in makers), None)


def infos(outputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each of our nodes reported of itself, by node id: that of its first element, with the cost of all."""
    found = {}
    for node, output in outputs.items():
        if elements := [json.loads(text) for text in output.get("nano_banana", ())]:
            costs = [element["cost_usd"] for element in elements]
            found[node] = {**elements[0], "cost_usd": None if None in costs else sum(costs)}
    return found


def saved(prompt: Prompt, outputs: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Every saved image with its SaveImage node, in the order of the node ids."""
    return [
        (node, image)
        for node in sorted(outputs, key=lambda node: (int(node) if node.isdigit() else 0, node))
        for image in outputs[node].get("images") or ()
        if image.get("type") == "output" and node in prompt
    ]


def main_result(prompt: Prompt, nodes: Collection[str]) -> str | None:
    """The SaveImage node with most above it: what the whole workflow leads to."""
    return max(nodes, key=lambda node: len(above(prompt, node)), default=None)


def cost_of(prompt: Prompt, node: str, savers: Collection[str], found: Infos) -> float | None:
    """What a saved picture cost in US$, None where nobody says: the runs above it, each shared by all that came of it."""
    total = 0.0
    for maker in {*above(prompt, node)} & {*found}:
        cost = found[maker].get("cost_usd")
        if cost is None:
            return None
        total += cost / sum(maker in above(prompt, other) for other in savers)
    return total


def png_size(path: Path) -> str:
    """`WIDTHxHEIGHT` from a PNG's header, `-` for anything else."""
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n" or len(head) < 24:
        return "-"
    return "{}x{}".format(*struct.unpack(">II", head[16:24]))
