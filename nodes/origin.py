"""What a picture was made from, read from the workflow that is stored with it: options, files, and other pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .. import comfyui
from .prompt_graph import PromptGraph, inputs_of, is_link, kind_of

MAX_NODES = 200
"""So many nodes before a reference are looked at: a workflow may be a stranger's."""
MAX_SOURCES = 8
IMAGE_NODES = ("NanoBananaGenerate", "NanoBananaEdit")
_REFERENCE = re.compile(r"images\.(image_\d{1,2})$|(mask)$")
OPTIONS = (
    "seed",
    "aspect_ratio",
    "resolution",
    "batch_mode",
    "output_size",
    "region",
    "align",
    "mask_hint",
    "system_prompt",
    "thinking",
    "enable_web_search",
    "safety_tolerance",
    "output_format",
    "temperature",
    "top_p",
)
"""Inputs whose values are shown, in this order, where they aren't at their defaults."""


def origin_of(
    prompt: Any, node_id: str, made: float, widget_defaults: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """`prompt`: API form, of any shape. `made`: Unix time of the picture. `widget_defaults`: by class and widget.

    Gives {"options": {name: value}, "references": [{"input", "sources": [...], "through": [classes]}]}. A source is
    {"file", "state"} or {"node", "prompt"}.
    """
    nodes = prompt if isinstance(prompt, Mapping) else {}
    node = nodes.get(node_id)
    inputs = inputs_of(node) if isinstance(node, Mapping) else {}
    defaults = widget_defaults.get(kind_of(node), {})
    graph = PromptGraph(nodes)
    options: dict[str, Any] = {}
    for name in OPTIONS:
        value = graph.constant(inputs.get(name)) if is_link(inputs.get(name)) else inputs.get(name)
        if not isinstance(value, (str, int, float)) or _is_default(name, value, defaults):
            continue
        if isinstance(value, float) and not math.isfinite(value):  # no JSON
            continue
        options[name] = value[:1000] if isinstance(value, str) else value
    found = []
    for name, link in inputs.items():
        match = _REFERENCE.match(name) if isinstance(name, str) else None
        if match and is_link(link):
            found.append({"input": match[1] or match[2], **_sources(nodes, link, made)})
    found.sort(key=lambda each: (each["input"] == "mask", len(each["input"]), each["input"]))
    return {"options": options, "references": found}


def has_mask(prompt: Any, node_id: str) -> bool:
    """Whether a node of a prompt, in API form and of any shape, has a mask: its output keeps the input outside of it."""
    node = prompt.get(node_id) if isinstance(prompt, Mapping) else None
    return isinstance(node, Mapping) and is_link(inputs_of(node).get("mask"))


def _is_default(name: str, value: str | int | float, defaults: Mapping[str, Any]) -> bool:
    """Whether a value is its widget's default, which isn't shown."""
    if name in ("temperature", "top_p"):  # 0 is a choice here
        return isinstance(value, str) or value < 0
    return value == defaults.get(name)


def _sources(nodes: Mapping[str, Any], link: Any, made: float) -> dict[str, Any]:
    """The files and pictures that come into an input, and the classes of the nodes between."""
    sources: list[dict[str, Any]] = []
    through: list[str] = []
    waiting = [link]
    seen: set[str] = set()
    while waiting and len(seen) < MAX_NODES and len(sources) < MAX_SOURCES:
        target = waiting.pop(0)
        name = str(target[0]) if target and isinstance(target[0], (str, int)) else ""
        node = nodes.get(name)
        if not isinstance(node, Mapping) or name in seen:
            continue
        seen.add(name)
        kind, inputs = kind_of(node), inputs_of(node)
        file, words = inputs.get("image"), inputs.get("prompt")
        if kind in IMAGE_NODES:
            sources.append({"node": name, "prompt": words[:1000] if isinstance(words, str) else ""})
        elif kind.startswith("LoadImage") and isinstance(file, str):
            sources.append({"file": file[:300], "state": comfyui.input_file_state(file[:300], made)})
        else:
            through.append(kind[:80])
            waiting.extend(value for value in inputs.values() if is_link(value))
    return {"sources": sources, "through": through[:MAX_SOURCES]}
