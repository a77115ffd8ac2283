"""Cuts the region of a mask out of a frame for the models that may be asked, at the size that each draws at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image

from ..core.errors.messages import msg
from ..core.images.picture import Picture, Pixels
from ..core.request import Cut, Region
from . import tensors
from .padded_region import padded_and_reduced
from .region import WHOLE_ABOVE, cut, painted_box, region_around, sent_size, share_of, within

_SIDES = {"0.5K": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Resolution -> side in px of a square picture of it."""
_USUAL_SIDE = 1024
"""Where a provider doesn't say at what resolution it draws."""


class FrameCutter:
    """The `Cutter` of one request: it gives the region in place of the whole frame, and the other references unchanged."""

    def __init__(
        self,
        frame: torch.Tensor,
        mask: torch.Tensor,
        context: float,
        references: Sequence[Picture],
        *,
        has_hint: bool,
        name: str,
    ) -> None:
        """`references`: those of the whole frame, which is the first of them; the last is its mask where `has_hint`.

        `frame` is [H, W, C], `mask` [H, W] of its size. `name`: how a notice names the frame.
        """
        self._frame, self._mask, self._context, self._name = frame, mask, context, name
        self._references, self._has_hint = tuple(references), has_hint
        self._painted = painted_box(mask)
        self._parts: dict[tuple[Region, int], tuple[Picture, ...]] = {}
        """Models that get the same part share its handles, so that it is cut and hashed once."""

    def __call__(self, ratios: Sequence[str], resolution: str) -> Cut:
        height, width = self._mask.shape
        region = region_around(self._painted, width, height, self._context, ratios)
        share = share_of(region, width, height)
        if share > WHOLE_ABOVE:
            percent = round(share * 100)
            return Cut(self._references, None, (msg("frame_cutter.region_is_most", name=self._name, percent=percent),))
        side = _SIDES.get(resolution, _USUAL_SIDE)
        size = sent_size(region, side * side)
        if (region, side) not in self._parts:
            self._parts[region, side] = self._cut(region, size)
        return Cut(self._parts[region, side], region, self._notices(region, size))

    def _notices(self, region: Region, size: tuple[int, int]) -> tuple[str, ...]:
        """What a user should know about the size at which a region is sent."""
        if size[0] >= region.width:
            return ()
        padded, sent = f"{region.width}x{region.height}", f"{size[0]}x{size[1]}"
        return (msg("frame_cutter.padded_region_is_reduced", name=self._name, padded=padded, sent=sent),)

    def _cut(self, region: Region, size: tuple[int, int]) -> tuple[Picture, ...]:
        """The references with the region of the frame, and of its mask, at `size`."""

        def frame() -> Pixels:
            # Pillow resamples 8 bits with whole numbers, so a region has the same fingerprint on every machine.
            if size[0] < region.width:
                inside = within(self._frame, region)
                of_rows = partial(tensors.pixels, name=self._name)
                return padded_and_reduced(inside, region.padding, size, of_rows, Image.Resampling.LANCZOS)
            return _resized(tensors.pixels(cut(self._frame, region), self._name), size, Image.Resampling.LANCZOS)

        def hint() -> Pixels:
            if size[0] < region.width:
                inside = within(self._mask, region)
                mean = padded_and_reduced(inside, region.padding, size, tensors.grey_picture, Image.Resampling.BOX)
                # A line that is thinner than a px of what is sent stays in it.
                return np.where(mean > 0, np.uint8(255), np.uint8(0))
            return _resized(tensors.grey_picture(cut(self._mask, region)), size, Image.Resampling.NEAREST)

        part = Picture(frame, *size, int(self._frame.shape[-1]))
        if not self._has_hint:
            return part, *self._references[1:]
        return part, *self._references[1:-1], Picture(hint, *size, 3)


def _resized(pixels: Pixels, size: tuple[int, int], resample: Image.Resampling) -> Pixels:
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, resample))
