"""Parts of graphs for host tests: batches of frames, masks, chains of providers, and what the doubles received and drew.

Pictures are noise, so that a swapped, scaled or re-encoded one can't pass for another.
"""

from __future__ import annotations

import hashlib
import io
import json
import urllib.request
from typing import Any

import numpy as np
from pack.tests.host.kit import Bench, Ran, colours, node
from PIL import Image

Graph = dict[str, Any]
Link = list[Any]


def digest(pixels: np.ndarray) -> str:
    """What the doubles write down of a picture."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def references(request: dict[str, Any]) -> list[str]:
    """The pictures of a request as the doubles decoded them, in their order."""
    return [one["sha256_pixels"] for one in request["references"]]


def frames(bench: Bench, tag: str, graph: Graph, name: str, count: int, size: tuple[int, int] = (32, 48)) -> tuple[
    Link, list[np.ndarray]
]:  # fmt: skip
    """Puts `count` frames of `size` (height, width) into `graph` as one batch. Gives its link and the frames."""
    made = [colours(*size, seed=sum(map(ord, name)) * 100 + i) for i in range(count)]
    link: Link = []
    for i, frame in enumerate(made):
        graph[f"{name}_{i}"] = node("LoadImage", image=bench.put(f"{tag}-{name}-{i}.png", frame))
        if link:
            graph[f"{name}_join_{i}"] = node("ImageBatch", image1=link, image2=[f"{name}_{i}", 0])
        link = [f"{name}_join_{i}" if link else f"{name}_{i}", 0]
    return link, made


def mask_link(bench: Bench, tag: str, graph: Graph, masks: list[np.ndarray]) -> Link:
    """Puts masks [H, W] of 0..1 into `graph` as one MASK."""
    link: Link = []
    for i, mask in enumerate(masks):
        grey = np.repeat((np.asarray(mask, np.float64) * 255).round().astype(np.uint8)[..., None], 3, 2)
        graph[f"mask_{i}"] = node("LoadImage", image=bench.put(f"{tag}-mask-{i}.png", grey))
        if link:
            graph[f"mask_join_{i}"] = node("ImageBatch", image1=link, image2=[f"mask_{i}", 0])
        link = [f"mask_join_{i}" if link else f"mask_{i}", 0]
    graph["mask"] = node("ImageToMask", image=link, channel="red")
    return ["mask", 0]


def chain(*providers: str, **config: Any) -> Graph:
    """ProviderConfig nodes, each the fallback of the one before; the first is called "config"."""
    graph: Graph = {}
    for index, provider in enumerate(providers):
        name = "config" if index == 0 else f"config_{index}"
        inputs = {"fallback": [f"config_{index + 1}", 0]} if index + 1 < len(providers) else {}
        graph[name] = node("ProviderConfig", provider=provider, **inputs, **config)
    return graph


def chained(bench: Bench, prompt: str, *providers: str, **inputs: Any) -> Ran:
    """One Generate node "make" with a chain of providers, one picture after the other, and a PreviewImage "show"."""
    return bench.run(
        {
            **chain(*providers, max_parallel=1),
            "make": node("NanoBananaGenerate", prompt=prompt, provider=["config", 0], **inputs),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )


def drawn(bench: Bench, request: dict[str, Any]) -> list[np.ndarray]:
    """The pictures that a recorded OneRouter generation was answered with, asked for once more.

    The doubles draw the same for the same seed, slot and prompt, so a file fetched here is the file the pack got.
    """
    body = json.dumps(request["fields"]).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sim-look"}
    address = f"{bench.doubles.base_url('onerouter')}/v1/images/generations"
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=300) as answer:
        entries = json.load(answer)["data"]
    found = []
    for entry in entries:
        with urllib.request.urlopen(entry["url"], timeout=300) as file:
            found.append(np.asarray(Image.open(io.BytesIO(file.read()))))
    return found


def list_of(graph: Graph, name: str, values: list[Any], kind: str = "PrimitiveString") -> list[Any]:
    """Puts a list of values into `graph` and gives its link; a value that is a link stands for itself."""
    inputs = {}
    for i, value in enumerate(values):
        if not isinstance(value, list):
            graph[f"{name}_{i}"] = node(kind, value=value)
            value = [f"{name}_{i}", 0]
        inputs[f"inputs.input{i}"] = value
    graph[name] = {"class_type": "CreateList", "inputs": inputs}
    return [name, 0]


def infos(ran: Ran) -> list[dict[str, Any]]:
    """The `info` of each element, as the node shows it."""
    return [json.loads(text) for text in ran.outputs["make"]["nano_banana"]]
