"""The part of a picture that a masked edit sends: which box, how it is cut out, and how its result is put back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..core.planning.negotiate import by_distance, ratio_value
from ..core.request import Region

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, the last two behind the last px."""

WHOLE_ABOVE = 0.8
"""A region of more than this share of the picture is the whole picture."""
LEAST_SIDE = 256
"""px that a region has at least on each side where the picture allows it."""


def painted_box(mask: torch.Tensor) -> Box:
    """The box of all that a mask [H, W] allows to change; it has values above 0."""
    rows, columns = torch.nonzero(mask.amax(1) > 0)[:, 0], torch.nonzero(mask.amax(0) > 0)[:, 0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def region_around(painted: Box, width: int, height: int, context: float, ratios: Sequence[str]) -> Region:
    """The region of a painted box in a picture of a size, in one of `ratios` ("4:3"); of any ratio where there is none.

    The box, `context` times as large about its centre, at least LEAST_SIDE px a side, moved into the picture and widened to
    the nearest ratio; where that does not fit, the largest box of a ratio that holds the painted one; where no ratio does,
    the box of a ratio that holds the painted one with the least padding.
    """
    left, top, right, bottom = painted
    across = _side(right - left, context, width)
    down = _side(bottom - top, context, height)
    nearest = by_distance(across, down, ratios)
    name, size = "", (across, down)
    for name in nearest:
        size = _holding(across, down, ratio_value(name))
        if size[0] > width or size[1] > height:
            size = _largest(width, height, ratio_value(name))
        if size[0] >= right - left and size[1] >= bottom - top:
            break
    else:
        if nearest:
            held = {name: _holding(right - left, bottom - top, ratio_value(name)) for name in nearest}
            name = min(held, key=lambda each: _beyond(held[each], width, height))
            size = held[name]
    x, before, after = _placed(left, right, size[0], width)
    y, above, below = _placed(top, bottom, size[1], height)
    return Region(x, y, size[0], size[1], name, (before, above, after, below))


def share_of(region: Region, width: int, height: int) -> float:
    """Which share of a picture a region is, of 1."""
    _, _, inside_width, inside_height = region.inside
    return inside_width * inside_height / (width * height)


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


def _beyond(size: tuple[int, int], width: int, height: int) -> int:
    """How many px of a box can not be inside a picture of a size."""
    return size[0] * size[1] - min(size[0], width) * min(size[1], height)


def _placed(first: int, last: int, size: int, whole: int) -> tuple[int, int, int]:
    """Where a side of `size` px begins that is centred on first..last and moved into 0..whole; and its px before and after."""
    begin = (first + last - size) // 2
    if size <= whole:
        return max(0, min(begin, whole - size)), 0, 0
    begin = max(whole - size, min(begin, 0))
    return begin, -begin, begin + size - whole


def cut(picture: torch.Tensor, region: Region) -> torch.Tensor:
    """The region of a picture [H, W, ...]; what is beyond it is its reflection."""
    part = within(picture, region)
    if not any(region.padding):
        return part
    before, above, after, below = region.padding
    rows, columns = reflection(part.shape[0], above, below), reflection(part.shape[1], before, after)
    return part[rows][:, columns]


def reflection(length: int, before: int, after: int) -> torch.Tensor:
    """Indices of a side of `length` px that go on beyond both of its ends by reflection, however far."""
    at = torch.arange(-before, length + after)
    if length == 1:
        return torch.zeros_like(at)
    period = 2 * (length - 1)
    at = at.remainder(period)
    return torch.minimum(at, period - at)


def within(picture: torch.Tensor, region: Region) -> torch.Tensor:
    """What of the region is in the picture [H, W, ...], as a view."""
    left, top, width, height = region.inside
    return picture[top : top + height, left : left + width]


def paste(picture: torch.Tensor, part: torch.Tensor, region: Region) -> None:
    """Puts `part`, which has the size of the region's `inside`, to its place in `picture` [H, W, ...]."""
    left, top, width, height = region.inside
    picture[top : top + height, left : left + width] = part


def sent_size(region: Region, pixels: int) -> tuple[int, int]:
    """The size at which a region is sent: enlarged to about `pixels` in all, and made smaller only where it is padded.

    The padding of a narrow ratio may be several times as large as the picture, and shows nothing new.
    """
    factor = math.sqrt(pixels / (region.width * region.height))
    if factor <= 1 and not any(region.padding):
        return region.width, region.height
    return max(1, round(region.width * factor)), max(1, round(region.height * factor))
