"""Reads an API-format example: which files it loads, which node made a saved image, what that cost.

Pure: prompts and outputs in, values out. Called by `demo_command.py`.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Prompt = Mapping[str, Mapping[str, Any]]


def load(path: Path) -> dict[str, Any]:
    """An example's prompt."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def inputs_named(prompt: Prompt) -> list[str]:
    """The files that the prompt's LoadImage nodes (masks too) name, without ComfyUI's ` [input]` mark."""
    names = [
        node["inputs"].get("image")
        for node in prompt.values()
        if str(node.get("class_type", "")).startswith("LoadImage")
    ]
    return sorted({name.removesuffix(" [input]") for name in names if isinstance(name, str)})


def sources(prompt: Prompt, node: str) -> Iterator[str]:
    """The nodes a node gets something from."""
    for value in prompt.get(node, {}).get("inputs", {}).values():
        if isinstance(value, list) and len(value) == 2 and str(value[0]) in prompt:
            yield str(value[0])


def depth(prompt: Prompt, node: str) -> int:
    """The number of steps from a node to the farthest node above it."""
    return max((1 + depth(prompt, source) for source in sources(prompt, node)), default=0)


def made_by(prompt: Prompt, node: str, makers: Mapping[str, Any]) -> str | None:
    """The nearest of `makers` above a node, None if there is none."""
    spec, seen = [node], {node}
    while spec:
        above = [source for name in spec for source in sources(prompt, name)]
        spec = [name for name in dict.fromkeys(above) if name not in seen]
        seen.update(spec)
        if found := [name for name in spec if name in makers]:
            return found[0]
    return None


def all_above(prompt: Prompt, node: str) -> set[str]:
    """Every node above a node."""
    seen: set[str] = set()
    spec = [node]
    while spec:
        spec = [source for name in spec for source in sources(prompt, name) if source not in seen]
        seen.update(spec)
    return seen


def infos(prompt: Prompt, outputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The `info` of each of our nodes by node id, as it reported it itself or as a text preview showed it."""
    found: dict[str, dict[str, Any]] = {}
    for node, output in outputs.items():
        for text in output.get("nano_banana") or ():
            found[node] = json.loads(text)
        for text in output.get("text") or ():
            try:
                info = json.loads(text)
            except (TypeError, ValueError):
                continue
            source = next(sources(prompt, node), None)
            if source and isinstance(info, dict) and "provider" in info:
                found.setdefault(source, info)
    return found


def saved(prompt: Prompt, outputs: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Every saved image with its SaveImage node, in the order of the node ids."""

    def order(node: str) -> tuple[int, str]:
        return (int(node) if node.isdigit() else 0, node)

    return [
        (node, image)
        for node in sorted(outputs, key=order)
        for image in outputs[node].get("images") or ()
        if image.get("type") == "output" and node in prompt
    ]


def main_result(prompt: Prompt, nodes: list[str]) -> str | None:
    """The SaveImage node with the longest way above it: what the whole workflow leads to."""
    return max(nodes, key=lambda node: depth(prompt, node), default=None)


def png_size(path: Path) -> str:
    """`WIDTHxHEIGHT` from a PNG's header, `-` for anything else."""
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n" or len(head) < 24:
        return "-"
    return "{}x{}".format(*struct.unpack(">II", head[16:24]))
