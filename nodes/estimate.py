"""The nodes of a prompt, held against this machine without running them: the price badge and the dry run.

Takes a prompt in API form. What a picture input will be is only known when it comes straight from a LoadImage: everything
else is counted as one frame, and said to be a guess.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comfy_api.latest import io

from .. import comfyui
from ..core.config.allowed_models import UnknownModel
from ..core.engine import Engine
from ..core.errors import Impossible, NanoBananaError
from ..core.estimate import Estimate, elsewhere, estimate
from ..core.images.picture import Picture
from ..core.planning.choice import MOST_PROVIDERS, ProviderChoice
from ..core.planning.resolver import ProviderResolver
from ..core.request import Options, Request
from . import edit, generate, tensors
from .edit import EACH, HINT, HINT_WORDS, TOGETHER, NanoBananaEdit, groups_of
from .generate import NanoBananaGenerate
from .inputs import options_of, seed_of
from .provider_config import PARALLEL, TIMEOUT
from .values import number_of, text_of, value_of, wrong

NODES: dict[str, Any] = {"NanoBananaGenerate": NanoBananaGenerate, "NanoBananaEdit": NanoBananaEdit}
_DEFAULTS = {
    kind: {
        name: parameter.default
        for name, parameter in inspect.signature(node.execute).parameters.items()
        if isinstance(parameter.default, (str, int, bool))
    }
    for kind, node in NODES.items()
}
"""The widgets. What has None for a default is a socket, and being linked is its nature."""
_WIDGETS: dict[str, list[io.Input]] = {
    kind: [each for each in node.inputs() if each.id in _DEFAULTS[kind] or each.id == "prompt"]
    for kind, node in (("NanoBananaGenerate", generate), ("NanoBananaEdit", edit))
}
_CONFIG: dict[str, tuple[int, int] | None] = {
    "provider": None,
    "model": None,
    "profile": None,
    "timeout": TIMEOUT,
    "max_parallel": PARALLEL,
    "model_override": None,
}
"""Inputs of ProviderConfig; of the numbers the least and the most."""
_NOTHING: Any = object()
"""An input that is not in the prompt."""


MOST_NODES = 1000
MOST_SECONDS = 5.0
"""A badge is worth no longer wait, and the server has other work."""


def estimate_prompt(
    engine: Engine, prompt: Mapping[str, Any], *, detail: bool, everywhere: bool
) -> tuple[dict[str, Any], int]:
    """Facts about each node of ours, by its id, and how many nodes were left out because there are too many.

    `detail`: with the stored pictures of edits and the requests themselves.
    """
    found: dict[str, Any] = {}
    ours = [
        (str(name), node)
        for name, node in prompt.items()
        if isinstance(node, Mapping) and isinstance(kind := node.get("class_type"), str) and kind in NODES
    ]
    machine = _Machine(engine, engine.shelf())
    end = time.monotonic() + MOST_SECONDS
    for name, node in ours[:MOST_NODES]:
        if time.monotonic() > end:
            break
        found[name] = _Asked(machine, prompt, node, detail).facts(everywhere)
    return found, len(ours) - len(found)


@dataclass
class _Machine:
    """What all nodes of a prompt are held against, read once."""

    engine: Engine
    shelf: ProviderResolver
    choices: dict[str, tuple[ProviderChoice | None, bool] | NanoBananaError] = field(default_factory=dict)
    """ProviderConfig's id -> what it gives and whether that is sure, or why it gives nothing."""


class _Asked:
    """One node of a prompt."""

    def __init__(self, machine: _Machine, prompt: Mapping[str, Any], node: Mapping[str, Any], detail: bool) -> None:
        self._machine, self._prompt, self._detail = machine, prompt, detail
        self._kind = str(node["class_type"])
        given = node.get("inputs")
        self._inputs: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        self._sure = True
        """Whether everything is known: no text, seed or picture comes from a node that has yet to run."""
        self._frames_known = True
        self._references: list[dict[str, Any]] = []
        self._entries: list[tuple[Picture, dict[str, Any]]] = []

    def facts(self, everywhere: bool) -> dict[str, Any]:
        operation = "generate" if self._kind == "NanoBananaGenerate" else "edit"
        facts: dict[str, Any] = {"node": self._kind, "operation": operation, "problem": None}
        try:
            choice = self._choice(self._inputs.get("provider", _NOTHING))
            requests = self._requests()
            if everywhere:
                facts["everywhere"] = elsewhere(self._machine.shelf, choice, requests)
            told = estimate(
                self._machine.engine,
                choice,
                requests,
                pixels=self._sure,
                sends=self._detail,
                shelf=self._machine.shelf,
            )
        except NanoBananaError as error:
            problem: dict[str, Any] = {"kind": error.kind, "what": error.what, "cure": error.cure}
            if isinstance(error, UnknownModel):
                # The node asks the user about it.
                problem["model"] = {"provider": error.provider, "label": error.label, "wire": error.wire}
            return {**facts, "problem": problem, "references": self._references}
        return {**facts, **_told(told), "sure": self._sure, "frames_known": self._frames_known,
                "references": self._references}  # fmt: skip

    # ------------------------------------------------------------------------------------------------ inside

    def _value(self, widget: io.Input) -> Any:
        """A widget's value; its default where it is left out, or comes from a node that has yet to run. Raises Impossible."""
        default = _DEFAULTS[self._kind].get(widget.id, "")
        if widget.id not in self._inputs:
            return default
        value = self._inputs[widget.id]
        if isinstance(value, (list, tuple)):
            value = self._constant(value)
            if value is None:
                self._sure = False
                return default
        return value_of(widget, _converted(widget, value))

    def _node(self, link: Any) -> Mapping[str, Any]:
        """The node that a link leads to; {} where it leads nowhere."""
        name = link[0] if isinstance(link, (list, tuple)) and link else None
        node = self._prompt.get(str(name)) if isinstance(name, (str, int)) else None
        return node if isinstance(node, Mapping) else {}

    def _constant(self, link: Sequence[Any]) -> Any:
        """What one of the host's Primitive nodes gives; None for any other node."""
        node = self._node(link)
        inputs, kind = node.get("inputs"), node.get("class_type")
        if not isinstance(inputs, Mapping) or not isinstance(kind, str):
            return None
        value = inputs.get("value") if kind.startswith("Primitive") else None
        return value if isinstance(value, (str, int, float, bool)) else None

    def _requests(self) -> list[Request]:
        values = {each.id: self._value(each) for each in _WIDGETS[self._kind]}
        prompt = values["prompt"]
        if not prompt and isinstance(self._inputs.get("prompt"), (list, tuple)):
            prompt = "(comes from another node)"
        options, (seed, _) = options_of(values), seed_of(values["seed"])
        count = values["num_images"]
        if self._kind == "NanoBananaGenerate":
            return [Request("generate", prompt, options, seed, count)]
        return self._edits(prompt, options, seed, count, values)

    def _edits(self, prompt: str, options: Options, seed: int, count: int, values: dict[str, Any]) -> list[Request]:
        names = [f"image_{number}" for number in range(1, 15) if f"images.image_{number}" in self._inputs]
        if not names or names[0] != "image_1":
            raise Impossible("There is no image to edit", cure="Connect image_1")
        mode = values["batch_mode"]
        handles = {name: self._pictures(name) for name in names}
        if not self._frames_known and mode != TOGETHER:
            handles = {name: pictures[:1] for name, pictures in handles.items()}
        groups, _ = groups_of(mode, names, handles)
        for number, wanted in enumerate(groups[0], 1):
            for picture, entry in self._entries:
                if picture is wanted:
                    entry["number"] = number
        hinted = values["mask_hint"] == HINT and "mask" in self._inputs and bool(prompt.strip())
        if hinted:
            self._sure = False
            prompt = f"{prompt.rstrip()}\n{HINT_WORDS}"
            groups = [[*group, _unknown()] for group in groups]
            self._references.append({"input": "mask", "from": "the mask", "number": len(groups[0])})
        if mode != EACH:
            self._references.sort(key=lambda entry: entry.get("number", 99))
        return [
            Request("edit", prompt, options, seed, count, tuple(group), index) for index, group in enumerate(groups)
        ]

    def _pictures(self, name: str) -> list[Picture]:
        """The frames of one input, or one stand-in where they aren't known yet."""
        link = self._inputs[f"images.{name}"]
        if not isinstance(link, (list, tuple)):
            raise wrong(f"images.{name}", link, "linked to an IMAGE output")
        source = self._node(link)
        kind, inputs = source.get("class_type", ""), source.get("inputs")
        kind = kind if isinstance(kind, str) else ""
        file = inputs.get("image") if kind == "LoadImage" and isinstance(inputs, Mapping) else None
        if self._detail and isinstance(file, str):
            try:
                frames = tensors.frames(comfyui.loaded(file), name)
                pictures = [tensors.picture(frame, name) for frame in frames]
                for index, picture in enumerate(pictures):
                    label = name if len(pictures) == 1 else f"{name} frame {index + 1}"
                    self._note(label, f"LoadImage {file}", picture, known=True)
                return pictures
            except Exception:  # the host's loader raises what it likes; the run will say it in its own words
                pass
        self._sure = False
        meta = source.get("_meta")
        title = meta.get("title") if isinstance(meta, Mapping) and isinstance(meta.get("title"), str) else ""
        if not isinstance(file, str):
            self._frames_known = False
        picture = _unknown()
        self._note(
            name, f"LoadImage {file}" if isinstance(file, str) else str(title or kind or "not connected"), picture
        )
        return [picture]

    def _note(self, name: str, source: str, picture: Picture, *, known: bool = False) -> None:
        size = {"width": picture.width, "height": picture.height} if known else {}
        entry: dict[str, Any] = {"input": name, "from": source, **size}
        self._references.append(entry)
        self._entries.append((picture, entry))

    def _choice(self, given: Any) -> ProviderChoice | None:
        """What the ProviderConfig nodes behind an input give; None where nothing is connected. Raises as they do."""
        if given is _NOTHING:
            return None
        if not isinstance(given, (list, tuple)) or not given:
            raise wrong("provider", given, "the output of a ProviderConfig node")
        node = self._node(given)
        if node.get("class_type") != "ProviderConfig":
            self._sure = False
            return None
        name = str(given[0])
        if name not in self._machine.choices:
            try:
                self._machine.choices[name] = self._chain(given)
            except NanoBananaError as error:
                self._machine.choices[name] = error
        found = self._machine.choices[name]
        if isinstance(found, NanoBananaError):
            raise found
        choice, sure = found
        self._sure = self._sure and sure
        return choice

    def _chain(self, link: Any) -> tuple[ProviderChoice | None, bool]:
        """The chain that begins at a ProviderConfig, and whether all of it is known before the run. Raises as it does."""
        nodes: list[Mapping[str, Any]] = []
        sure = True
        while link is not _NOTHING and len(nodes) < MOST_PROVIDERS + 1:
            if not isinstance(link, (list, tuple)):
                raise wrong("fallback", link, "the output of a ProviderConfig node")
            node = self._node(link)
            inputs = node.get("inputs")
            if node.get("class_type") != "ProviderConfig" or not isinstance(inputs, Mapping):
                sure = False
                break
            nodes.append(inputs)
            link = inputs.get("fallback", _NOTHING)
        choice: ProviderChoice | None = None
        for inputs in reversed(nodes):
            facts, known = self._config(inputs)
            sure = sure and known
            choice = ProviderChoice(**facts, fallback=choice)
        if choice is not None:
            # As ProviderConfig itself does when it runs, so that a missing key is said before.
            self._machine.shelf.check(choice)
        return choice, sure

    def _config(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """The values of one ProviderConfig, and whether they are known before the run. Raises Impossible."""
        defaults = ProviderChoice()
        values: dict[str, Any] = {}
        sure = True
        for name, bounds in _CONFIG.items():
            value = inputs.get(name, getattr(defaults, name))
            if isinstance(value, (list, tuple)):
                value = self._constant(value)
                if value is None:
                    sure = False
                    continue
            values[name] = text_of(name, value) if bounds is None else number_of(name, value, *bounds)
        values["model_override"] = values.get("model_override", "").strip()
        return values, sure


def _converted(widget: io.Input, value: Any) -> Any:
    """A constant as the host makes it of what a prompt has: it turns numbers in texts into numbers, and the other way."""
    try:
        if isinstance(widget, io.Int.Input) and isinstance(value, (str, float)) and not isinstance(value, bool):
            return int(value)
        if isinstance(widget, io.String.Input) and isinstance(value, (int, float)):
            return str(value)
        if isinstance(widget, io.Boolean.Input) and isinstance(value, (int, float, str)):
            return bool(value)
    except (ValueError, OverflowError):
        pass
    return value


def _unknown() -> Picture:
    """Stands for a picture whose pixels nobody knows yet: it can be counted, and nothing else."""

    def load() -> Any:
        raise RuntimeError("a picture that isn't made yet has no pixels")

    return Picture(load, 1, 1, 3)


def _told(told: Estimate) -> dict[str, Any]:
    return {
        "provider": told.provider,
        "label": told.label,
        "model": told.model,
        "wire": told.wire,
        "resolution": told.resolution,
        "pictures": told.pictures,
        "stored": told.stored,
        "usd_each": told.usd_each,
        "usd_counted_each": round(told.usd_counted_each, 6),
        "usd": told.usd,
        "usd_counted": round(told.usd_counted, 6),
        "price_source": told.price_source,
        "price_dated": told.price_dated,
        "counted_source": told.counted_source,
        "notices": list(told.notices),
        "sends": list(told.sends),
    }
