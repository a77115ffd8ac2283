"""The requests of one edit, and the output pictures made of their results."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.errors import Impossible
from ..core.errors.messages import msg
from ..core.execution.image_task import ImageTask
from ..core.images.picture import Picture
from ..core.request import Options, Request
from . import tensors
from .edit_masks import validated_masks
from .output_image import OutputImage
from .output_size import cut_to_multiple
from .reference_groups import SOCKETS, frame_name, reference_groups

MASK_PROMPT = "The last picture is a mask of the first picture: change only what is white in it."
"""Added to the prompt where the mask is sent as the last reference."""


@dataclass(frozen=True)
class EditOptions:
    """The widgets of an edit that shape its requests."""

    prompt: str
    options: Options
    seed: int
    num_images: int
    batch_mode: str
    mask_as_reference: bool
    match_first: bool
    """Whether a result gets exactly the size of its frame."""
    mask_feather: int
    """Pixels."""
    multiple: int = 1
    """Pixels that the sides of all outputs are a multiple of."""


class EditBatch:
    """The requests of one edit, with the frame and the mask that each result is composited with."""

    def __init__(self, options: EditOptions, images: dict[str, torch.Tensor], mask: torch.Tensor | None) -> None:
        """Groups the frames into requests as batch_mode says. `images`: the connected ones by socket. Raises Impossible."""
        sockets = sorted(images, key=SOCKETS.__getitem__)
        if not sockets or sockets[0] != "image_1":
            raise Impossible(msg("edit_batch.no_image_to_edit"), cure=msg("edit_batch.connect_image_1"))
        self._match_first, self._feather = options.match_first, options.mask_feather
        self._multiple = options.multiple
        frames = {name: tensors.frames(images[name], name) for name in sockets}
        self._originals = frames["image_1"]
        groups, self.notices = reference_groups(options.batch_mode, sockets, _pictures(frames))
        self._masks = validated_masks(mask, self._originals, options.batch_mode, self.notices)
        prompt = options.prompt
        if options.mask_as_reference and self._masks:
            groups = [[*group, Picture.of(tensors.grey_picture(self._masks[i]))] for i, group in enumerate(groups)]
            if prompt.strip():
                prompt = f"{prompt.rstrip()}\n{MASK_PROMPT}"
                self.notices.append(msg("edit_batch.mask_prompt_added", mask_prompt=MASK_PROMPT))
        elif options.mask_as_reference:
            self.notices.append(msg("edit_batch.mask_hint_left_out"))
        self.requests = [
            Request("edit", prompt, options.options, options.seed, options.num_images, tuple(group), index)
            for index, group in enumerate(groups)
        ]

    def output(self, task: ImageTask) -> OutputImage:
        """The output picture of a result: at the right size, with the pixels outside the mask as they were.

        Without a result it is the original frame.
        """
        output = self._composited(task)
        return output if self._multiple == 1 else cut_to_multiple(output, self._multiple)

    def _composited(self, task: ImageTask) -> OutputImage:
        frame = self._originals[task.slot.frame].detach().cpu().float()
        original = frame[..., :3]
        height, width = original.shape[:2]
        if task.result is None:
            transparency = 1.0 - frame[..., 3] if frame.shape[-1] == 4 else torch.zeros(height, width)
            return OutputImage(original.clone(), transparency, task, "original", original)
        pixels = task.result.pixels
        picture, transparency = tensors.image(pixels), tensors.transparency(pixels)
        notices = []
        if self._match_first and tuple(picture.shape[:2]) != (height, width):
            notices = _size_notice(picture.shape[1], picture.shape[0], width, height)
            picture = tensors.covering(picture, width, height)
            transparency = tensors.covering(transparency.unsqueeze(-1), width, height)[..., 0]
        if self._masks:
            mask = self._masks[task.slot.frame]
            picture = tensors.keep_outside(picture, original, mask, self._feather)
            transparency = torch.where(mask == 0, torch.zeros(()), transparency)
        return OutputImage(picture, transparency, task, task.source, original, notices)


def _pictures(frames: dict[str, list[torch.Tensor]]) -> dict[str, list[Picture]]:
    return {
        name: [tensors.picture(frame, frame_name(name, i, len(batch))) for i, frame in enumerate(batch)]
        for name, batch in frames.items()
    }


def _size_notice(have_width: int, have_height: int, width: int, height: int) -> list[str]:
    """What `match first image` did, where it cut something away."""
    factor = max(width / have_width, height / have_height)
    cut_x, cut_y = round(have_width * factor) - width, round(have_height * factor) - height
    if cut_x <= 0 and cut_y <= 0:
        return []
    return [
        msg(
            "edit_batch.result_scaled_and_cut",
            have_width=have_width,
            have_height=have_height,
            scaled_width=round(have_width * factor),
            scaled_height=round(have_height * factor),
            width=width,
            height=height,
        )
    ]
