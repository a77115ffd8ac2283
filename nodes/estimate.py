"""Estimates the nodes of a prompt on this machine without running them: for the price badge and the dry run.

Takes a prompt in API form. What comes from a node that has yet to run isn't known: then a default stands for it, and the
estimate says so.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from typing import Any

from comfy_api.latest import io

from ..core.config.allowed_models import UnknownModel
from ..core.engine import Engine
from ..core.errors import InvalidInput, NanoBananaError
from ..core.errors.messages import msg
from ..core.estimate import Estimate, elsewhere, estimate
from ..core.images.picture import Picture
from ..core.planning.choice import ProviderChoice
from ..core.planning.resolver import ProviderResolver
from ..core.providers.spec import Operation
from ..core.request import Request
from . import edit, generate
from .edit import MASK_AS_REFERENCE, MASKED_REGION, NanoBananaEdit
from .edit_batch import MASK_PROMPT
from .edit_masks import region_needs_mask
from .generate import NanoBananaGenerate
from .inputs import THOUGHTS_OUTPUT, options_of, seed_of
from .prompt_choices import PromptChoices
from .prompt_graph import PromptGraph, inputs_of, is_link, kind_of
from .prompt_references import PromptReferences, unknown_picture
from .reference_groups import EACH, SOCKETS, TOGETHER, reference_groups
from .values import value_of

NODES: dict[str, Any] = {"NanoBananaGenerate": NanoBananaGenerate, "NanoBananaEdit": NanoBananaEdit}
WIDGET_DEFAULTS = {
    kind: {
        name: parameter.default
        for name, parameter in inspect.signature(node.execute).parameters.items()
        if isinstance(parameter.default, (str, int, float, bool))
    }
    for kind, node in NODES.items()
}
"""Defaults of the widgets by class and name. An input whose default is of another type is a socket, and always linked."""
_WIDGETS: dict[str, list[io.Input]] = {
    kind: [each for each in node.inputs() if each.id in WIDGET_DEFAULTS[kind] or each.id == "prompt"]
    for kind, node in (("NanoBananaGenerate", generate), ("NanoBananaEdit", edit))
}
MOST_NODES = 1000
MOST_SECONDS = 5.0
"""The page waits for its badges, and the server has other work."""


def estimate_prompt(
    engine: Engine, prompt: Mapping[str, Any], *, detail: bool, everywhere: bool, shows_drafts: bool = False
) -> tuple[dict[str, Any], int]:
    """Facts about each of the pack's nodes by its id, and how many nodes were left out because there are too many.

    `detail`: with the stored pictures of edits and the requests themselves. `everywhere`: with the prices of all providers.
    `shows_drafts`: as for a page that shows drafts.
    """
    graph, resolver = PromptGraph(prompt), engine.resolver()
    choices = PromptChoices(graph, resolver)
    nodes = graph.nodes(NODES)
    found: dict[str, Any] = {}
    end = time.monotonic() + MOST_SECONDS
    for name, node in nodes[:MOST_NODES]:
        if time.monotonic() > end:
            break
        estimated = NodeEstimate(graph, node, load=detail, shows_drafts=shows_drafts)
        found[name] = estimated.facts(engine, resolver, choices, everywhere)
    return found, len(nodes) - len(found)


class NodeEstimate:
    """One node of a prompt."""

    def __init__(
        self,
        graph: PromptGraph,
        node: Mapping[str, Any],
        load: bool,
        *,
        stand_ins: bool = False,
        shows_drafts: bool = False,
    ) -> None:
        """`load`: reads the files of LoadImage, and shows the requests as they would be sent. `stand_ins`: a prompt and a
        picture stand for those that aren't there yet. `shows_drafts`: as for a page that shows drafts."""
        self._graph, self._node, self._load, self._stand_ins = graph, node, load, stand_ins
        self._shows_drafts = shows_drafts
        self._kind, self._inputs = kind_of(node), inputs_of(node)
        self._operation: Operation = "generate" if self._kind == "NanoBananaGenerate" else "edit"
        self._references = PromptReferences(graph, load)
        self._known = True
        """Whether everything but the references is known before the run."""

    def facts(
        self, engine: Engine, resolver: ProviderResolver, choices: PromptChoices, everywhere: bool
    ) -> dict[str, Any]:
        facts: dict[str, Any] = {"node": self._kind, "operation": self._operation, "problem": None}
        try:
            choice, known = choices.choice_of(self._inputs)
            requests = self._requests()
            known = known and self._known and self._references.known
            found = estimate(
                engine,
                choice,
                requests,
                pixels=known,
                sends=self._load,
                wants_drafts=self._wants_drafts(requests),
                resolver=resolver,
            )
        except NanoBananaError as error:
            facts |= self._unfinished().offer(engine, resolver, choices, everywhere)
            return {**facts, "problem": _problem(error), "references": self._references.facts}
        if everywhere:
            facts["everywhere"] = elsewhere(resolver, choice, requests)
        return {
            **facts,
            **_estimate_facts(found),
            "sure": known,
            "frames_known": self._references.frames_known,
            "references": self._references.facts,
        }

    def _wants_drafts(self, requests: Sequence[Request]) -> bool:
        """Whether drafts are asked for, as in a run: nobody looks at those of an order while it is awaited."""
        is_linked = self._graph.is_linked(self._node, THOUGHTS_OUTPUT[self._operation])
        return is_linked or (self._shows_drafts and all(each.options.delivery == "now" for each in requests))

    def _unfinished(self) -> NodeEstimate:
        return NodeEstimate(self._graph, self._node, load=False, stand_ins=True)

    def offer(
        self, engine: Engine, resolver: ProviderResolver, choices: PromptChoices, everywhere: bool
    ) -> dict[str, Any]:
        """Who would be asked and for how much, as far as that is known although the node can't run as it is."""
        facts: dict[str, Any] = {}
        choice: ProviderChoice | None = None
        try:
            requests = self._requests()
            try:
                choice, _ = choices.choice_of(self._inputs)
            finally:
                if everywhere:
                    facts["everywhere"] = elsewhere(resolver, choice, requests)
            return facts | _estimate_facts(estimate(engine, choice, requests, pixels=False, resolver=resolver))
        except NanoBananaError:
            return facts

    def _value(self, widget: io.Input) -> Any:
        """A widget's value; its default where it is left out, or comes from a node that has yet to run. Raises InvalidInput."""
        default = WIDGET_DEFAULTS[self._kind].get(widget.id, "")
        if widget.id not in self._inputs:
            return default
        value = self._inputs[widget.id]
        if is_link(value):
            value = self._graph.constant(value)
            if value is None:
                self._known = False
                return default
        return value_of(widget, _converted(widget, value))

    def _requests(self) -> list[Request]:
        values = {widget.id: self._value(widget) for widget in _WIDGETS[self._kind]}
        prompt = values["prompt"]
        if not prompt and is_link(self._inputs.get("prompt")):
            prompt = "(comes from another node)"
        if self._stand_ins and not prompt.strip():
            prompt = "(not written yet)"
        groups: list[list[Picture]] = [[]]
        operation = self._operation
        if "conversation" in self._inputs:  # its turns aren't known before the run; it edits a picture
            self._known = False
            operation, groups = "edit", [[unknown_picture()]]
        if self._operation == "edit":
            groups = self._groups(values["batch_mode"])
            if values["mask_hint"] == MASK_AS_REFERENCE and "mask" in self._inputs and prompt.strip():
                prompt = f"{prompt.rstrip()}\n{MASK_PROMPT}"
                groups = [[*group, unknown_picture()] for group in groups]
                self._references.add_mask(len(groups[0]))
            if values["region"] == MASKED_REGION and not (self._stand_ins and "mask" not in self._inputs):
                groups = self._regions(groups)
            if values["batch_mode"] != EACH:
                self._references.sort_by_number()
        options, (seed, _), count = options_of(values), seed_of(values["seed"]), values["num_images"]
        return [
            Request(operation, prompt, options, seed, count, tuple(group), index) for index, group in enumerate(groups)
        ]

    def _regions(self, groups: list[list[Picture]]) -> list[list[Picture]]:
        """The references with a stand-in for the region of each frame: the mask comes from a node that has yet to run."""
        if "mask" not in self._inputs:
            raise region_needs_mask()
        self._references.known = False
        return [[unknown_picture(), *others] for _, *others in groups]

    def _groups(self, mode: str) -> list[list[Picture]]:
        """The references of each request of an edit. Raises InvalidInput."""
        names = [name for name in SOCKETS if f"images.{name}" in self._inputs]
        if self._stand_ins and "image_1" not in names:
            return [[unknown_picture()]]
        if not names or names[0] != "image_1":
            raise InvalidInput(msg("estimate.no_image_to_edit"), cure=msg("estimate.connect_image_1"))
        frames = {name: self._references.read(name, self._inputs[f"images.{name}"]) for name in names}
        if not self._references.frames_known and mode != TOGETHER:
            frames = {name: pictures[:1] for name, pictures in frames.items()}
        groups, _ = reference_groups(mode, names, frames)
        self._references.number(groups[0])
        return groups


def _problem(error: NanoBananaError) -> dict[str, Any]:
    """An error as the page takes it."""
    problem: dict[str, Any] = {"kind": error.kind, "what": error.what, "cure": error.cure}
    if isinstance(error, UnknownModel):
        # The page asks the user about the model.
        problem["model"] = {"provider": error.provider, "label": error.label, "wire": error.model_id}
    return problem


def _estimate_facts(found: Estimate) -> dict[str, Any]:
    return {
        "provider": found.provider,
        "label": found.label,
        "model": found.model,
        "wire": found.model_id,
        "resolution": found.resolution,
        "pictures": found.pictures,
        "stored": found.stored,
        "usd_each": found.usd_each,
        "usd_counted_each": round(found.usd_counted_each, 6),
        "usd": found.usd,
        "usd_counted": round(found.usd_counted, 6),
        "price_source": found.price_source,
        "price_dated": found.price_dated,
        "counted_source": found.counted_source,
        "delivery": found.delivery,
        "ordered": found.ordered,
        "usd_now_each": found.usd_now_each,
        "usd_batch_each": found.usd_batch_each,
        "notices": list(found.notices),
        "sends": list(found.sends),
    }


def _converted(widget: io.Input, value: Any) -> Any:
    """A constant of a prompt as the host hands it to the node: texts become numbers, or numbers texts."""
    try:
        if isinstance(widget, io.Int.Input) and isinstance(value, (str, float)) and not isinstance(value, bool):
            return int(value)
        if isinstance(widget, io.Float.Input) and isinstance(value, (str, int)) and not isinstance(value, bool):
            return float(value)
        if isinstance(widget, io.String.Input) and isinstance(value, (int, float)):
            return str(value)
        if isinstance(widget, io.Boolean.Input) and isinstance(value, (int, float, str)):
            return bool(value)
    except (ValueError, OverflowError):
        pass
    return value
