"""Reads an example in the API form and its outputs: which models it loads, which nodes made a saved image, what that cost."""

import json
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

Prompt = Mapping[str, Mapping[str, Any]]
Infos = Mapping[str, Mapping[str, Any]]
"""The `info` of each of our nodes by node id."""
IMAGE_NODES = ("NanoBananaGenerate", "NanoBananaEdit")


def models_named(prompt: Prompt) -> list[str]:
    """The local model files that the prompt loads."""
    loading = [node["inputs"] for node in prompt.values() if "Loader" in str(node.get("class_type", ""))]
    return sorted({value for inputs in loading for name, value in inputs.items() if name.endswith("_name")})


def without_models(prompt: Prompt) -> dict[str, Any]:
    """The prompt up to the first picture of ours that it saves in the end: what runs where no local model is."""
    makers = [node for node, values in prompt.items() if values["class_type"] in IMAGE_NODES]
    saver = main_result(prompt, [node for node, values in prompt.items() if values["class_type"] == "SaveImage"])
    maker = made_by(prompt, saver or "", makers)
    if saver is None or maker is None:
        return {}
    kept = {node: prompt[node] for node in (maker, *above(prompt, maker))}
    return {**kept, saver: {**prompt[saver], "inputs": {**prompt[saver]["inputs"], "images": [maker, 0]}}}


def pictures_before(prompt: Prompt, saver: str) -> tuple[list[str], list[str]]:
    """The nodes of ours whose pictures go into a saved one, and those that made it: their previews tell the example's idea."""
    makers = [node for node, values in prompt.items() if values["class_type"] in IMAGE_NODES]
    last = made_by(prompt, saver, makers)
    if last is None:
        return [], []
    before = sorted((node for node in above(prompt, last) if node in makers), key=int)
    others = [node for node in makers if node != last and node not in before]
    alike = [node for node in others if prompt[node]["class_type"] == prompt[last]["class_type"]]
    return before, sorted([last, *alike], key=int)


def with_previews(prompt: Prompt, nodes: Collection[str]) -> dict[str, Any]:
    """The prompt with a preview of the pictures of each of these nodes, under the id that `preview_of` gives."""
    previews = {preview_of(node): {"class_type": "PreviewImage", "inputs": {"images": [node, 0]}} for node in nodes}
    return {**prompt, **previews}


def preview_of(node: str) -> str:
    """The id of a node's preview."""
    return f"preview-{node}"


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
