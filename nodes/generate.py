"""NanoBananaGenerate: pictures from a prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from ..core.errors import InvalidInput
from ..core.execution.image_task import ImageTask
from ..core.planning.choice import ProviderChoice
from ..core.request import Request
from ..core.request.conversation import Conversation
from . import tensors
from .branches import with_branches
from .execution import incomplete_runs, run_node
from .inputs import (
    BLOCK,
    CATEGORY,
    FAIL,
    KEEP,
    latest,
    latest_outputs,
    options_of,
    outputs,
    prompt,
    provider,
    seed_of,
    shared,
    stray,
    thoughts,
)
from .list_element import NodeRequests
from .output_image import OutputImage
from .values import UNCONNECTED, checked, conversation_of, provider_of


class NanoBananaGenerate(io.ComfyNode):
    """Text to image with the user's own key."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NanoBananaGenerate",
            display_name="Nano Banana Generate (your key)",
            category=CATEGORY,
            description="Makes pictures from text with Google's Nano Banana models, through the provider you have a key for. "
            "Each new picture is paid to that provider; a picture that was paid for is not paid again.",
            search_aliases=["text to image api", "gemini image", "nano banana", "imagen"],
            inputs=inputs(),
            outputs=[*outputs(), thoughts(), *latest_outputs()],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            # Two equal nodes share an entry of the host's cache otherwise, and one may be stuck with a failure of the other.
            # To run both costs nothing more: the journal makes them one paid request.
            not_idempotent=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> int:
        """Rises after an incomplete run, so that the host runs it again; saved into the picture's metadata by the host."""
        return incomplete_runs(cls.hidden.unique_id if cls.hidden else None)

    @classmethod
    async def execute(
        cls,
        prompt: str,
        provider: ProviderChoice | None = UNCONNECTED,
        aspect_ratio: str = "auto",
        resolution: str = "auto",
        num_images: int = 1,
        seed: int = 0,
        enable_web_search: bool = False,
        safety_tolerance: str = "default",
        limit_generations: str = "default",
        output_format: str = "auto",
        thinking: str = "default",
        system_prompt: str = "",
        on_failure: str = KEEP,
        with_text: bool = False,
        temperature: float = -1.0,
        top_p: float = -1.0,
        delivery: str = "now",
        conversation: Conversation | None = UNCONNECTED,
        **unknown: Any,
    ) -> io.NodeOutput:
        given = locals()

        async def requested() -> NodeRequests:
            if unknown:
                raise InvalidInput(stray(list(unknown)))
            values = checked(inputs(), given)
            choice = provider_of("provider", provider)
            folded, notices = seed_of(values["seed"])
            earlier = conversation_of("conversation", conversation)
            request = Request("generate", values["prompt"], options_of(values), folded, values["num_images"])
            requests = [_operation(each) for each in with_branches([request], earlier)]
            return NodeRequests(requests, choice, _output, notices=notices)

        return await run_node(cls.hidden, "generate", requested, on_failure)


def inputs() -> list[io.Input]:
    return [prompt(), provider(), *shared([KEEP, FAIL, BLOCK]), *latest()]


def _operation(request: Request) -> Request:
    """A request that goes on from a picture edits it."""
    return replace(request, operation="edit") if request.branch and request.branch.turns else request


def _output(task: ImageTask) -> OutputImage:
    assert task.result is not None
    pixels = task.result.pixels
    return OutputImage(tensors.image(pixels), tensors.transparency(pixels), task, task.source)
