"""NanoBananaEdit: pictures from a prompt and reference images."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from .. import comfyui
from ..core.errors import InvalidInput
from ..core.errors.messages import msg
from ..core.planning.choice import ProviderChoice
from ..core.request.conversation import Conversation
from .alignment.result import OFF, SHIFT, SHIFT_AND_SCALE
from .edit_batch import EditBatch, EditOptions
from .execution import incomplete_runs, run_node
from .inputs import (
    BLOCK,
    CATEGORY,
    FAIL,
    KEEP,
    ORIGINAL,
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
from .output_size import AS_RETURNED, MATCH, MULTIPLES, OUTPUT_SIZES
from .reference_groups import EACH, MAX_IMAGES, PAIRED, SOCKETS, TOGETHER
from .value_checks import wrong
from .values import UNCONNECTED, checked, conversation_of, provider_of

NO_HINT, MASK_AS_REFERENCE = "none", "as last reference"
WHOLE_IMAGE, MASKED_REGION = "whole image", "masked region"


class NanoBananaEdit(io.ComfyNode):
    """Image to image with the user's own key."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NanoBananaEdit",
            display_name="Nano Banana Edit (your key)",
            category=CATEGORY,
            description="Changes or combines pictures with Google's Nano Banana models, through the provider you have a key "
            "for. With a mask, every pixel outside it stays exactly as it was.",
            search_aliases=["image to image api", "gemini image edit", "nano banana", "inpaint api"],
            inputs=inputs(),
            outputs=[
                *outputs(),
                io.Image.Output("originals", is_output_list=True, tooltip="The input frame of each result."),
                thoughts(),
                *latest_outputs(),
            ],
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
        images: dict[str, torch.Tensor] | None = None,
        provider: ProviderChoice | None = UNCONNECTED,
        mask: torch.Tensor | None = UNCONNECTED,
        batch_mode: str = TOGETHER,
        output_size: str = AS_RETURNED,
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
        mask_feather: int = 8,
        mask_hint: str = NO_HINT,
        reference_format: str = "auto",
        region: str = WHOLE_IMAGE,
        region_context: float = 1.5,
        align: str = OFF,
        with_text: bool = False,
        temperature: float = -1.0,
        top_p: float = -1.0,
        delivery: str = "now",
        conversation: Conversation | None = UNCONNECTED,
        **unknown: Any,
    ) -> io.NodeOutput:
        given = locals()

        async def requested() -> NodeRequests:
            if images is not None and not isinstance(images, dict):
                raise wrong("images", images, msg("edit.image_sockets_expected"))
            strays = list(unknown) + [name for name in images or {} if name not in SOCKETS]
            if strays:
                raise InvalidInput(stray(strays))
            values = checked(inputs(), given)
            choice = provider_of("provider", provider)
            linked = linked_images(cls.hidden, images or {})
            painted = mask_of(mask)
            earlier = conversation_of("conversation", conversation)
            folded, notices = seed_of(values["seed"])
            options = _edit_options(values, folded, has_mask=painted is not None)
            edit = await comfyui.in_thread(lambda: EditBatch(options, linked, painted, earlier))
            _check_failure_mode(values["on_failure"], options.batch_mode)
            return NodeRequests(
                edit.requests,
                choice,
                edit.output,
                notices=[*notices, *edit.notices],
                reference_format=values["reference_format"],
            )

        return await run_node(cls.hidden, "edit", requested, on_failure)


def _edit_options(values: dict[str, Any], seed: int, *, has_mask: bool) -> EditOptions:
    """What the widgets say. `seed`: folded into its range."""
    return EditOptions(
        values["prompt"],
        options_of(values),
        seed,
        values["num_images"],
        values["batch_mode"],
        mask_as_reference=values["mask_hint"] == MASK_AS_REFERENCE,
        match_first=values["output_size"] == MATCH or has_mask,
        mask_feather=values["mask_feather"],
        only_region=values["region"] == MASKED_REGION,
        region_context=values["region_context"],
        align=values["align"],
        multiple=MULTIPLES.get(values["output_size"], 1),
    )


def _check_failure_mode(on_failure: str, batch_mode: str) -> None:
    """Raises InvalidInput where there is no original frame to keep."""
    if on_failure == ORIGINAL and batch_mode == TOGETHER:
        raise InvalidInput(
            msg("edit.keep_original_needs_each"),
            cure=msg("edit.choose_another_mode"),
        )


def inputs() -> list[io.Input]:
    first, *rest = shared([KEEP, FAIL, BLOCK, ORIGINAL])
    return [
        prompt(),
        io.Autogrow.Input(
            "images",
            template=io.Autogrow.TemplateNames(
                io.Image.Input("image"), names=[f"image_{i}" for i in range(1, MAX_IMAGES + 1)], min=1
            ),
            tooltip="Reference images, in this order: picture 1 is the first frame of image_1.",
        ),
        provider(),
        io.Mask.Input("mask", optional=True, tooltip="1 may change, 0 stays exactly as it is in the first image."),
        io.Combo.Input(
            "batch_mode",
            options=[TOGETHER, EACH, PAIRED],
            default=TOGETHER,
            optional=True,
            tooltip="together: all frames in one request. each: a request per frame of image_1, the other images go "
            "along. each paired: frame by frame through all inputs.",
        ),
        io.Combo.Input(
            "output_size",
            options=OUTPUT_SIZES,
            default=AS_RETURNED,
            optional=True,
            tooltip="match first image: scaled and centre-cropped to exactly that size. A mask does this by itself. "
            "multiple of 8, of 64: cut at the centre to sides that the VAE of a local model takes, originals too.",
        ),
        first,
        *rest,
        io.Int.Input(
            "mask_feather",
            default=8,
            min=0,
            max=512,
            optional=True,
            advanced=True,
            tooltip="Width in pixels of the soft edge, inside the mask only.",
        ),
        io.Combo.Input(
            "mask_hint",
            options=[NO_HINT, MASK_AS_REFERENCE],
            default=NO_HINT,
            optional=True,
            advanced=True,
            tooltip="What the model is told of the mask. 'as last reference' sends it as a picture and adds a "
            "sentence to the prompt, which is shown as a notice.",
        ),
        io.Combo.Input(
            "reference_format",
            options=["auto", "lossless", "jpeg"],
            default="auto",
            optional=True,
            advanced=True,
            tooltip="auto: lossless, and JPEG only where the provider's size limit leaves no other way.",
        ),
        *_local_inputs(),
    ]


def _local_inputs() -> list[io.Input]:
    """The inputs of local edits and of alignment."""
    return [
        io.Combo.Input(
            "region",
            options=[WHOLE_IMAGE, MASKED_REGION],
            default=WHOLE_IMAGE,
            optional=True,
            advanced=True,
            tooltip="masked region: only the surroundings of the mask are sent, enlarged to what resolution asks, and put "
            "back at their place. Sharper, and cheap on large pictures. Needs a mask.",
        ),
        io.Float.Input(
            "region_context",
            default=1.5,
            min=1.0,
            max=8.0,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="How much of the surroundings the model sees with masked region: the size of the box of the mask, times "
            "this.",
        ),
        io.Combo.Input(
            "align",
            options=[OFF, SHIFT, SHIFT_AND_SCALE],
            default=OFF,
            optional=True,
            advanced=True,
            tooltip="Puts a result that came back moved or zoomed by a little into line with the first image. With a mask, or "
            "with match first image.",
        ),
        *latest(),
    ]


def linked_images(hidden: Any, images: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The images that are connected. Raises InvalidInput for one that is, and gives nothing.

    The host says None for a socket that nothing is connected to, too: the graph tells the two apart.
    """
    prompt = hidden.prompt if isinstance(hidden.prompt, dict) else {}
    node = prompt.get(str(hidden.unique_id))
    named = node.get("inputs") if isinstance(node, dict) else None
    for name, value in images.items():
        if value is None and isinstance(named, dict) and f"images.{name}" in named:
            raise wrong(name, value, msg("values.image"))
    return {name: value for name, value in images.items() if value is not None}


def mask_of(value: Any) -> torch.Tensor | None:
    """The mask; None where nothing is connected. Raises InvalidInput."""
    if value is UNCONNECTED:
        return None
    if value is None:
        # Without its mask the whole picture could change.
        raise wrong("mask", value, msg("values.mask"))
    return value
