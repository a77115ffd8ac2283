"""NanoBananaEdit: pictures from a prompt and reference images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from comfy_api.latest import io

from .. import comfyui
from ..core.errors import Impossible
from ..core.execution.image_task import ImageTask
from ..core.images.picture import Picture
from ..core.planning.choice import ProviderChoice
from ..core.request import Options, Request
from . import tensors
from .execution import Finished, make, runs_again
from .inputs import (
    BLOCK,
    CATEGORY,
    FAIL,
    KEEP,
    ORIGINAL,
    options_of,
    outputs,
    prompt,
    provider,
    seed_of,
    shared,
    stray,
)
from .values import UNCONNECTED, checked, provider_of, wrong

TOGETHER, EACH, PAIRED = "together", "each", "each paired"
AS_RETURNED, MATCH = "as returned", "match first image"
NO_HINT, HINT = "none", "as last reference"
HINT_WORDS = "The last picture is a mask of the first picture: change only what is white in it."
MAX_IMAGES = 14
_RATIO_TOLERANCE = 0.01


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
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            # Two equal nodes share a place in the host's cache otherwise, and one may be stuck with a failure of the other.
            # What it would cost to run both is nothing: the ledger makes them one paid request.
            not_idempotent=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> int:
        """Rises after an incomplete run, so that the host runs it again; saved into the picture's metadata by the host."""
        return runs_again(cls.hidden.unique_id if cls.hidden else None)

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
        **unknown: Any,
    ) -> io.NodeOutput:
        given = locals()
        if images is not None and not isinstance(images, dict):
            raise wrong("images", images, "images.image_1, images.image_2 and so on, each linked to an IMAGE output")
        strays = list(unknown) + [name for name in images or {} if name not in _SOCKETS]
        if strays:
            raise Impossible(stray(strays))
        values = checked(inputs(), given)
        choice = provider_of("provider", provider)
        linked = linked_images(cls.hidden, images or {})
        painted = mask_of(mask)
        folded, notices = seed_of(values["seed"])
        mode, hint = values["batch_mode"], values["mask_hint"] == HINT
        ask = _Ask(values["prompt"], options_of(values), folded, values["num_images"], mode, hint)
        edit = await comfyui.in_thread(lambda: _Edit.laid_out(ask, linked, painted))
        edit.match = values["output_size"] == MATCH or painted is not None
        edit.feather = values["mask_feather"]
        if values["on_failure"] == ORIGINAL and mode == TOGETHER:
            raise Impossible(
                "'keep the original frame' needs batch_mode each or each paired: together has no frame of its own "
                "to keep",
                cure="Choose another on_failure or batch_mode",
            )
        return await make(
            cls.hidden,
            edit.requests,
            choice,
            values["on_failure"],
            edit.finish,
            notices=[*notices, *edit.notices],
            reference_format=values["reference_format"],
            with_originals=True,
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
            options=[AS_RETURNED, MATCH],
            default=AS_RETURNED,
            optional=True,
            tooltip="match first image: scaled and centre-cropped to exactly that size. A mask does this by itself.",
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
            options=[NO_HINT, HINT],
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
    ]


_SOCKETS = {f"image_{i}": i for i in range(1, MAX_IMAGES + 1)}


def linked_images(hidden: Any, images: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The images that are connected. Raises Impossible for one that is, and gives nothing.

    The host says None for a socket that nothing is connected to, too: the graph tells the two apart.
    """
    prompt = hidden.prompt if isinstance(hidden.prompt, dict) else {}
    node = prompt.get(str(hidden.unique_id))
    named = node.get("inputs") if isinstance(node, dict) else None
    for name, value in images.items():
        if value is None and isinstance(named, dict) and f"images.{name}" in named:
            raise wrong(name, value, "an IMAGE")
    return {name: value for name, value in images.items() if value is not None}


def mask_of(value: Any) -> torch.Tensor | None:
    """The mask; None where nothing is connected. Raises Impossible."""
    if value is UNCONNECTED:
        return None
    if value is None:
        # Without its mask the whole picture could change.
        raise wrong("mask", value, "a MASK")
    return value


@dataclass(frozen=True)
class _Ask:
    prompt: str
    options: Options
    seed: int
    num_images: int
    batch_mode: str
    hint: bool


class _Edit:
    """The requests of one edit, and what its results are held against."""

    def __init__(
        self, requests: list[Request], originals: list[torch.Tensor], masks: list[torch.Tensor], notices: list[str]
    ) -> None:
        self.requests, self.originals, self.masks, self.notices = requests, originals, masks, notices
        self.match = False
        self.feather = 8

    @classmethod
    def laid_out(cls, ask: _Ask, images: dict[str, torch.Tensor], mask: torch.Tensor | None) -> _Edit:
        """Frames into requests, as batch_mode says. Raises Impossible."""
        sockets = sorted((name for name, value in images.items() if value is not None), key=_SOCKETS.__getitem__)
        if not sockets or sockets[0] != "image_1":
            raise Impossible("There is no image to edit", cure="Connect image_1")
        frames = {name: tensors.frames(images[name], name) for name in sockets}
        handles = {
            name: [tensors.picture(frame, _frame_name(name, i, len(batch))) for i, frame in enumerate(batch)]
            for name, batch in frames.items()
        }
        groups, notices = groups_of(ask.batch_mode, sockets, handles)
        firsts = frames["image_1"]
        masks = _masks(mask, firsts, ask.batch_mode, notices)
        if ask.hint and not masks:
            notices.append("mask_hint was left out: no mask is connected")
        prompt = ask.prompt
        if ask.hint and masks and prompt.strip():
            prompt = f"{prompt.rstrip()}\n{HINT_WORDS}"
            notices.append(f"added to the prompt for the mask: {HINT_WORDS}")
        requests = []
        for index, group in enumerate(groups):
            if ask.hint and masks:
                group = [*group, Picture.of(tensors.grey_picture(masks[index]))]
            requests.append(Request("edit", prompt, ask.options, ask.seed, ask.num_images, tuple(group), index))
        return cls(requests, firsts, masks, notices)

    def finish(self, result: ImageTask) -> Finished:
        """The output picture of a result: at the right size, with the pixels outside the mask as they were."""
        frame = self.originals[result.slot.frame].detach().cpu().float()
        original = frame[..., :3]
        height, width = original.shape[:2]
        if result.result is None:
            empty = 1.0 - frame[..., 3] if frame.shape[-1] == 4 else torch.zeros(height, width)
            return Finished(original.clone(), empty, result, "original", original)
        data = result.result.pixels
        picture, transparency = tensors.image(data), tensors.transparency(data)
        notices = []
        if self.match and tuple(picture.shape[:2]) != (height, width):
            notices = _size_notice(picture.shape[1], picture.shape[0], width, height)
            picture = tensors.covering(picture, width, height)
            transparency = tensors.covering(transparency.unsqueeze(-1), width, height)[..., 0]
        if self.masks:
            mask = self.masks[result.slot.frame]
            picture = tensors.keep_outside(picture, original, mask, self.feather)
            transparency = torch.where(mask == 0, torch.zeros(()), transparency)
        return Finished(picture, transparency, result, result.source, original, notices)


def groups_of(
    mode: str, sockets: list[str], handles: dict[str, list[Picture]]
) -> tuple[list[list[Picture]], list[str]]:
    """The references of each request, and a notice where the numbering isn't obvious."""
    if mode == TOGETHER:
        order = [(name, i) for name in sockets for i in range(len(handles[name]))]
        obvious = all(len(handles[name]) == 1 for name in sockets) and sockets == list(_SOCKETS)[: len(sockets)]
        listed = ", ".join(
            f"picture {n} = {_frame_name(name, i, len(handles[name]))}" for n, (name, i) in enumerate(order, 1)
        )
        return [[handles[name][i] for name, i in order]], [] if obvious else [listed]
    if mode == EACH:
        others = [(name, i) for name in sockets[1:] for i in range(len(handles[name]))]
        rest = [handles[name][i] for name, i in others]
        notices = []
        if others and not (
            sockets == list(_SOCKETS)[: len(sockets)] and all(len(handles[n]) == 1 for n in sockets[1:])
        ):
            listed = ", ".join(
                f"picture {n} = {_frame_name(name, i, len(handles[name]))}" for n, (name, i) in enumerate(others, 2)
            )
            notices = [f"picture 1 = the frame of image_1, {listed}"]
        return [[frame, *rest] for frame in handles["image_1"]], notices
    if mode == PAIRED:
        lengths = {name: len(handles[name]) for name in sockets}
        count = max(lengths.values())
        if any(length not in (1, count) for length in lengths.values()):
            listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise Impossible(
                f"'each paired' needs equally many frames everywhere, or one: {listed}",
                cure="Cut the batches to one length, or choose another batch_mode",
            )
        if lengths["image_1"] != count:
            raise Impossible(
                f"'each paired' goes along the frames of image_1, which has 1 where others have {count}",
                cure="Connect the batch to image_1, or repeat its frame",
            )
        groups = [[handles[name][i if lengths[name] > 1 else 0] for name in sockets] for i in range(count)]
        gap = sockets != list(_SOCKETS)[: len(sockets)]
        listed = ", ".join(f"picture {n} = {name}" for n, name in enumerate(sockets, 1))
        return groups, [listed] if gap else []
    raise Impossible(
        f"The batch_mode {mode[:40]} is not known here",
        cure=f"Choose {TOGETHER}, {EACH} or {PAIRED}",
    )


def _masks(mask: torch.Tensor | None, firsts: list[torch.Tensor], mode: str, notices: list[str]) -> list[torch.Tensor]:
    """A mask for each result frame at its size; [] without a mask. Raises Impossible."""
    if mask is None:
        return []
    given = tensors.masks(mask)
    if len(given) not in (1, len(firsts)):
        raise Impossible(
            f"There are {len(given)} masks for {len(firsts)} frames of image_1",
            cure="Give one mask, or one for each frame",
        )
    wanted = firsts[:1] if mode == TOGETHER else firsts
    if mode == TOGETHER and len(given) > 1:
        notices.append("together makes one result: it uses the first mask")
    fitted = []
    for index, frame in enumerate(wanted):
        one = given[index if len(given) > 1 else 0]
        which = f" {index + 1}" if len(given) > 1 else ""
        height, width = frame.shape[:2]
        if not bool((one > 0).any()):
            raise Impossible(f"Mask{which} is empty, so nothing may change", cure="Paint it, or disconnect it")
        ratio = (one.shape[1] / one.shape[0]) / (width / height)
        if abs(ratio - 1) > _RATIO_TOLERANCE:
            raise Impossible(
                f"Mask{which} ({one.shape[1]}x{one.shape[0]}) has another shape than its image ({width}x{height})",
                cure="Make the mask from that image",
            )
        scaled = tensors.fitted_mask(one, int(width), int(height))
        if not bool((scaled > 0).any()):
            raise Impossible(
                f"Mask{which} has nothing left at the size of its image",
                cure="Paint a larger region",
            )
        fitted.append(scaled)
    return fitted


def _frame_name(socket: str, index: int, count: int) -> str:
    return socket if count == 1 else f"{socket} frame {index + 1}"


def _size_notice(have_width: int, have_height: int, width: int, height: int) -> list[str]:
    """What `match first image` did, where it cut something away."""
    factor = max(width / have_width, height / have_height)
    cut_x, cut_y = round(have_width * factor) - width, round(have_height * factor) - height
    if cut_x <= 0 and cut_y <= 0:
        return []
    return [
        f"the result of {have_width}x{have_height} was scaled to {round(have_width * factor)}x"
        f"{round(have_height * factor)} and cut to {width}x{height} around its centre"
    ]
