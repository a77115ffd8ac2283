"""The part of a picture that a masked edit sends: which box, and how its result is put back.

Boxes are in px of the picture, (left, top, width, height); the part of a box that lies beyond the picture is padding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..core.planning.negotiate import by_distance, ratio_value

WHOLE_ABOVE = 0.8
"""A region of more than this share of the picture is the whole picture."""
LEAST_SIDE = 256
"""px that a region has at least on each side where the picture allows it."""


@dataclass(frozen=True)
class Region:
    """A box around what a mask allows to change."""

    left: int
    top: int
    width: int
    height: int
    ratio: str
    """The aspect ratio that is asked for."""
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """px beyond the picture: left, top, right, bottom."""

    @property
    def inside(self) -> tuple[int, int, int, int]:
        """The part of the box that lies in the picture."""
        left, top, right, bottom = self.padding
        return self.left + left, self.top + top, self.width - left - right, self.height - top - bottom


def region_of(mask: torch.Tensor, context: float, ratios: Sequence[str]) -> Region | None:
    """The region of a mask [H, W] that has values above 0, in one of `ratios` ("4:3").

    The box of the mask, `context` times as large about its centre, at least LEAST_SIDE px a side, moved into the picture and
    widened to the nearest ratio; where that does not fit, the largest box of a ratio that holds the mask; where no ratio
    does, the nearest one with padding. None where it would be most of the picture.
    """
    height, width = mask.shape
    painted = mask > 0
    rows, columns = torch.nonzero(painted.any(1))[:, 0], torch.nonzero(painted.any(0))[:, 0]
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    across = _side(right - left, context, width)
    down = _side(bottom - top, context, height)
    nearest = by_distance(across, down, ratios)
    for name in nearest:
        size = _holding(across, down, ratio_value(name))
        if size[0] > width or size[1] > height:
            size = _largest(width, height, ratio_value(name))
        if size[0] >= right - left and size[1] >= bottom - top:
            break
    else:
        name = nearest[0]
        size = _holding(across, down, ratio_value(name))
    if min(size[0], width) * min(size[1], height) > WHOLE_ABOVE * width * height:
        return None
    x, before, after = _placed(left, right, size[0], width)
    y, above, below = _placed(top, bottom, size[1], height)
    return Region(x, y, size[0], size[1], name, (before, above, after, below))


def _side(length: int, context: float, most: int) -> int:
    return min(most, max(LEAST_SIDE, math.ceil(length * context)))


def _holding(width: int, height: int, ratio: float) -> tuple[int, int]:
    """The smallest size of a ratio that holds another one."""
    return (
        (max(width, round(height * ratio)), height)
        if width < height * ratio
        else (width, max(height, round(width / ratio)))
    )


def _largest(width: int, height: int, ratio: float) -> tuple[int, int]:
    """The largest size of a ratio inside another one."""
    return (width, max(1, int(width / ratio))) if width < height * ratio else (max(1, int(height * ratio)), height)


def _placed(first: int, last: int, size: int, whole: int) -> tuple[int, int, int]:
    """Where a side of `size` px begins that is centred on first..last and moved into 0..whole; and its px before and after."""
    begin = (first + last - size) // 2
    if size <= whole:
        return max(0, min(begin, whole - size)), 0, 0
    begin = max(whole - size, min(begin, 0))
    return begin, -begin, begin + size - whole


def cut(picture: torch.Tensor, region: Region) -> torch.Tensor:
    """The region of a picture [H, W, C]; what lies beyond it is its reflection."""
    left, top, width, height = region.inside
    part = picture[top : top + height, left : left + width]
    if not any(region.padding):
        return part
    before, above, after, below = region.padding
    rows, columns = _reflected(height, above, below), _reflected(width, before, after)
    return part[rows][:, columns]


def _reflected(length: int, before: int, after: int) -> torch.Tensor:
    """Indices that go on beyond both ends of a side by reflection, however far."""
    at = torch.arange(-before, length + after)
    if length == 1:
        return torch.zeros_like(at)
    period = 2 * (length - 1)
    at = at.remainder(period)
    return torch.minimum(at, period - at)


def put_back(picture: torch.Tensor, part: torch.Tensor, region: Region) -> torch.Tensor:
    """`picture` [H, W, C] with the region replaced by `part`, which has the region's size, padding included."""
    left, top, width, height = region.inside
    before, above, _, _ = region.padding
    out = picture.clone()
    out[top : top + height, left : left + width] = part[above : above + height, before : before + width]
    return out


def enlarged(width: int, height: int, pixels: int) -> tuple[int, int]:
    """The size at which a region is sent: enlarged to about `pixels` in all, never made smaller."""
    factor = math.sqrt(pixels / (width * height))
    return (width, height) if factor <= 1 else (round(width * factor), round(height * factor))
