"""Brings the results of an edit to their frames: at the right size, in line with them, and with what a mask protects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..core.errors.messages import msg
from ..core.execution.image_task import ImageTask
from ..core.request import Region
from . import tensors
from .alignment.result import OFF, Alignment, aligned
from .outpaint import Padding, reflected
from .output_image import OutputImage
from .region import paste, within


@dataclass(frozen=True)
class CompositeOptions:
    """The widgets of an edit that shape its outputs."""

    match_first: bool
    """Whether a result gets exactly the size of its frame."""
    mask_feather: int
    """Pixels."""
    align: str = OFF


@dataclass
class _Layers:
    """A picture in the making: colours [H, W, 3] and transparency [H, W], on the CPU."""

    colours: torch.Tensor
    transparency: torch.Tensor

    def covering(self, width: int, height: int, part: tuple[int, int, int, int]) -> _Layers:
        """The box `part` (left, top, width, height) of these scaled to cover a size."""
        transparency = tensors.covering_part(self.transparency.unsqueeze(-1), width, height, part)[..., 0]
        return _Layers(tensors.covering_part(self.colours, width, height, part), transparency)

    def within(self, region: Region) -> _Layers:
        return _Layers(within(self.colours, region), within(self.transparency, region))

    def paste(self, part: _Layers, region: Region) -> None:
        """Puts `part` to its place, in these very tensors."""
        paste(self.colours, part.colours, region)
        paste(self.transparency, part.transparency, region)

    def keeping(self, original: _Layers, mask: torch.Tensor, weight: torch.Tensor) -> _Layers:
        """These where the mask allows, `original` elsewhere; colours and transparency with the same weights."""
        if not bool(self.transparency.any()) and not bool(original.transparency.any()):
            return _Layers(tensors.mixed(self.colours, original.colours, mask, weight), self.transparency)
        transparency = tensors.mixed(
            self.transparency.unsqueeze(-1), original.transparency.unsqueeze(-1), mask, weight
        )[..., 0]
        return _Layers(tensors.mixed(self.colours, original.colours, mask, weight), transparency)


class Compositor:
    """Makes the output pictures of one edit."""

    def __init__(
        self,
        frames: Sequence[torch.Tensor],
        masks: Sequence[torch.Tensor],
        options: CompositeOptions,
        paddings: Mapping[int, Padding] | None = None,
    ) -> None:
        """`frames`: those of image_1, [H, W, C]; `masks`: one for each result frame at its size, or none; `paddings`: of
        the frames that were padded for outpainting, by their index."""
        self._frames, self._masks, self._options = frames, masks, options
        self._paddings = paddings or {}

    def output(self, task: ImageTask) -> OutputImage:
        """The output picture of a result; of a missing one the original frame."""
        frame = self._frames[task.slot.frame].detach().cpu().float()
        original = _Layers(frame[..., :3], _transparency(frame))
        colours = original.colours
        if task.result is None:
            return OutputImage(colours.clone(), original.transparency, task, "original", colours)
        if padding := self._paddings.get(task.slot.frame):
            frame = reflected(frame, padding)  # the result must not mix with grey
            original = _Layers(frame[..., :3], _transparency(frame))
        pixels = task.result.pixels
        result = _Layers(tensors.image(pixels), tensors.transparency(pixels))
        region = task.made_by.region if task.made_by else None
        notices: list[str] = []
        facts: dict[str, Any] = {}
        if region is not None:
            facts = {"region": list(region.inside), "padding": list(region.padding)}
        alignment = None
        if self._options.match_first:
            result, alignment, notices = self._placed(result, original, task.slot.frame, region)
            facts["moved"] = alignment.fact
        return OutputImage(result.colours, result.transparency, task, task.source, colours, notices, alignment, facts)

    def _placed(
        self, result: _Layers, original: _Layers, frame: int, region: Region | None
    ) -> tuple[_Layers, Alignment, list[str]]:
        """A result at its place in the frame, what was measured against the frame, and notices."""
        whole = original
        height, width = original.colours.shape[:2]
        part = (0, 0, width, height)
        if region is not None:
            original = original.within(region)
            # What is beyond the picture is never made: it may be several times as large as the picture.
            part = (*region.padding[:2], *region.inside[2:])
            width, height = region.width, region.height
        returned_height, returned_width = result.colours.shape[:2]
        notices = _size_notice(returned_width, returned_height, width, height)
        factor = max(width / returned_width, height / returned_height)
        result = result.covering(width, height, part)
        kept = None
        if self._masks:
            mask = self._masks[frame]
            kept = (mask if region is None else within(mask, region)) == 0
        colours, transparency, alignment = aligned(
            result.colours,
            result.transparency,
            (original.colours, original.transparency),
            kept,
            self._options.align,
            factor,
        )
        result = _Layers(colours, transparency)
        if not self._masks:
            return result, alignment, notices
        mask, weight = self._weights(frame, region)
        if region is None:
            return result.keeping(original, mask, weight), alignment, notices
        whole = _Layers(whole.colours.clone(), whole.transparency)
        whole.paste(result.keeping(original, mask, weight), region)
        return whole, alignment, notices

    def _weights(self, frame: int, region: Region | None) -> tuple[torch.Tensor, torch.Tensor]:
        """The mask and the weights of a result, [h, w], of the whole frame or of what is in the region."""
        mask = self._masks[frame]
        if region is None:
            return mask, tensors.weights(mask, self._options.mask_feather)
        left, top, width, height = region.inside
        # The feather begins at the nearest px that the mask protects, which may be the first one beyond the region.
        above, before = min(1, top), min(1, left)
        around = mask[top - above : top + height + 1, left - before : left + width + 1]
        weight = tensors.weights(around, self._options.mask_feather)
        place = (slice(above, above + height), slice(before, before + width))
        return around[place], weight[place]


def _transparency(frame: torch.Tensor) -> torch.Tensor:
    """1 - alpha of a frame [H, W, C], zeros where it has none."""
    return 1.0 - frame[..., 3] if frame.shape[-1] == 4 else torch.zeros(frame.shape[:2])


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
