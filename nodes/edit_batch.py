"""The requests of one edit, and the output pictures made of their results."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.errors import InvalidInput
from ..core.errors.messages import msg
from ..core.execution.image_task import ImageTask
from ..core.images.picture import Picture
from ..core.request import Cutter, Options, Request
from ..core.request.conversation import Conversation
from . import tensors
from .alignment.result import OFF
from .branches import with_branches
from .compositing import CompositeOptions, Compositor
from .edit_masks import region_needs_mask, validated_masks
from .frame_cutter import FrameCutter
from .outpaint import Padding, padding_mask, padding_of
from .output_image import OutputImage
from .output_size import cut_to_multiple
from .reference_groups import SOCKETS, TOGETHER, frame_name, reference_groups, reference_sources

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
    only_region: bool = False
    """Whether only the surroundings of the mask are sent."""
    region_context: float = 1.5
    align: str = OFF
    multiple: int = 1
    """Pixels that the sides of all outputs are a multiple of."""


class EditBatch:
    """The requests of one edit, with the frame and the mask that each result is composited with."""

    def __init__(
        self,
        options: EditOptions,
        images: dict[str, torch.Tensor],
        mask: torch.Tensor | None,
        conversation: Conversation | None = None,
    ) -> None:
        """Groups the frames into requests as batch_mode says. `images`: the connected ones by socket. Raises InvalidInput."""
        sockets = sorted(images, key=SOCKETS.__getitem__)
        if not sockets or sockets[0] != "image_1":
            raise InvalidInput(msg("edit_batch.no_image_to_edit"), cure=msg("edit_batch.connect_image_1"))
        self._multiple = options.multiple
        frames = {name: tensors.frames(images[name], name) for name in sockets}
        self._originals = frames["image_1"]
        groups, self.notices = reference_groups(options.batch_mode, sockets, _pictures(frames))
        self.notices += [notice for name in sockets for notice in tensors.value_notices(frames[name], name)]
        counts = {name: len(batch) for name, batch in frames.items()}
        sources = reference_sources(options.batch_mode, sockets, counts)
        self._masks = validated_masks(mask, self._originals, options.batch_mode, self.notices)
        paddings = self._take_padding()
        prompt = options.prompt
        if options.mask_as_reference and self._masks:
            groups = [[*group, _mask_picture(self._masks[i])] for i, group in enumerate(groups)]
            sources = [[*names, ("mask", i)] for i, names in enumerate(sources)]
            if prompt.strip():
                prompt = f"{prompt.rstrip()}\n{MASK_PROMPT}"
                self.notices.append(msg("edit_batch.mask_prompt_added", mask_prompt=MASK_PROMPT))
        elif options.mask_as_reference:
            self.notices.append(msg("edit_batch.mask_hint_left_out"))
        if options.align != OFF and not options.match_first:
            self.notices.append(msg("alignment.left_out"))
        cutters = self._cutters(options, groups)
        requests = [
            Request(
                "edit",
                prompt,
                options.options,
                options.seed,
                options.num_images,
                tuple(group),
                index,
                cutter,
                tuple(names),
            )
            for index, (group, cutter, names) in enumerate(zip(groups, cutters, sources, strict=True))
        ]
        self.requests = with_branches(requests, conversation, is_each=options.batch_mode != TOGETHER)
        self._compositor = Compositor(
            self._originals,
            self._masks,
            CompositeOptions(options.match_first, options.mask_feather, options.align),
            paddings,
        )

    def output(self, task: ImageTask) -> OutputImage:
        """The output picture of a result: at the right size, with the pixels outside the mask as they were.

        Without a result it is the original frame.
        """
        output = self._compositor.output(task)
        return output if self._multiple == 1 else cut_to_multiple(output, self._multiple)

    def _take_padding(self) -> dict[int, Padding]:
        """The frames that were padded for outpainting, by index. Their masks are those of the padding from here on."""
        found = {}
        for index, mask in enumerate(self._masks):
            padding = padding_of(self._originals[index], mask)
            if padding is None:
                continue
            found[index], self._masks[index] = padding, padding_mask(mask, padding)
            notice = msg(
                "edit_batch.padded_for_outpainting",
                name=frame_name("image_1", index, len(self._originals)),
                left=padding.left,
                top=padding.top,
                right=padding.right,
                bottom=padding.bottom,
            )
            self.notices.append(notice)
        return found

    def _cutters(self, options: EditOptions, groups: list[list[Picture]]) -> list[Cutter | None]:
        """What cuts the region out of the frame of each request. Raises InvalidInput where there is no mask."""
        if not options.only_region:
            return [None] * len(groups)
        if not self._masks:
            raise region_needs_mask()
        count = len(self._originals)
        for index in range(len(groups)):
            # Only the region is read before the send, and the rest of the frame is in the result, too.
            tensors.check_finite(self._originals[index], frame_name("image_1", index, count))
        return [
            FrameCutter(
                self._originals[index],
                self._masks[index],
                options.region_context,
                group,
                has_hint=options.mask_as_reference,
                name=frame_name("image_1", index, count),
            )
            for index, group in enumerate(groups)
        ]


def _mask_picture(mask: torch.Tensor) -> Picture:
    height, width = mask.shape
    return Picture(lambda: tensors.grey_picture(mask), int(width), int(height), 3)


def _pictures(frames: dict[str, list[torch.Tensor]]) -> dict[str, list[Picture]]:
    return {
        name: [tensors.picture(frame, frame_name(name, i, len(batch))) for i, frame in enumerate(batch)]
        for name, batch in frames.items()
    }
