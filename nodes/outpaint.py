"""Recognizes a picture that ComfyUI's Pad Image for Outpainting has enlarged, so that its old part stays as it is.

That node surrounds a picture with grey of exactly 0.5, which no 8-bit picture has, and gives a mask that is 1 there and fades
into the old part over `feathering` px (ImagePadForOutpaint in ComfyUI's nodes.py, read in 0.30). An edit keeps the old part
bit for bit instead, and fades over the new part. There it must not mix with the grey: it mixes with the old part's reflection.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .region import reflection

_GREY = 0.5
_TOLERANCE = 2e-3
"""Of a mask's values: it may have been kept in half precision."""


@dataclass(frozen=True)
class Padding:
    """px that were added on each side of a picture."""

    left: int
    top: int
    right: int
    bottom: int


def padding_of(frame: torch.Tensor, mask: torch.Tensor) -> Padding | None:
    """The padding of a frame [H, W, C] whose mask [H, W] was made with it; None where it is another picture or mask."""
    height, width = mask.shape
    # The usual mask is told by its border; the rest is looked into only where a whole side may change.
    if not any(bool((side == 1).all()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])):
        return None
    white = mask == 1
    rows, columns = white.all(1), white.all(0)
    top, bottom = _leading(rows), _leading(rows.flip(0))
    left, right = _leading(columns), _leading(columns.flip(0))
    if top == height:  # no old part
        return None
    padding = Padding(
        _leading(_is_grey(frame[:, :left]).all(0)),
        _leading(_is_grey(frame[:top]).all(1)),
        _leading(_is_grey(frame[:, width - right :]).all(0).flip(0)),
        _leading(_is_grey(frame[height - bottom :]).all(1).flip(0)),
    )
    if padding == Padding(0, 0, 0, 0):
        return None
    return padding if _is_feathered(_old_part(mask, padding), padding) else None


def padding_mask(mask: torch.Tensor, padding: Padding) -> torch.Tensor:
    """The mask [H, W] of the padding alone."""
    new = torch.ones_like(mask)
    _old_part(new, padding).zero_()
    return new


def reflected(frame: torch.Tensor, padding: Padding) -> torch.Tensor:
    """The frame [H, W, C] with its old part's reflection in place of the grey."""
    whole = frame.clone()
    old = _old_part(whole, padding)
    height, width = old.shape[:2]
    rows, columns = reflection(height, padding.top, padding.bottom), reflection(width, padding.left, padding.right)
    middle = whole[padding.top : padding.top + height]
    middle[:, : padding.left] = old[:, columns[: padding.left]]
    middle[:, padding.left + width :] = old[:, columns[padding.left + width :]]
    whole[: padding.top] = middle[rows[: padding.top]]
    whole[padding.top + height :] = middle[rows[padding.top + height :]]
    return whole


def _old_part(picture: torch.Tensor, padding: Padding) -> torch.Tensor:
    """A view of the part of a picture [H, W, ...] that was there before."""
    height, width = picture.shape[:2]
    return picture[padding.top : height - padding.bottom, padding.left : width - padding.right]


def _leading(flags: torch.Tensor) -> int:
    """How many values are true before the first that isn't."""
    return int(flags.to(torch.uint8).cumprod(0).sum())


def _is_grey(part: torch.Tensor) -> torch.Tensor:
    return (part == _GREY).all(-1).cpu()


def _is_feathered(mask: torch.Tensor, padding: Padding) -> bool:
    """Whether the mask of the old part is 0, or fades from the padded sides inwards as that node's does."""
    height, width = mask.shape
    feather = _feather(mask, padding)
    if feather == 0:
        return not bool(mask.any())
    if feather * 2 >= min(height, width):
        return False
    rows, columns = torch.arange(height), torch.arange(width)
    vertical = torch.minimum(rows if padding.top else torch.full_like(rows, height), _from_end(rows, padding.bottom))
    across = torch.minimum(
        columns if padding.left else torch.full_like(columns, width), _from_end(columns, padding.right)
    )
    distance = torch.minimum(vertical[:, None], across[None, :])
    ramp = ((feather - distance).clamp_min(0) / feather).square()
    return bool((mask - ramp).abs().max() <= _TOLERANCE)


def _from_end(indices: torch.Tensor, padded: int) -> torch.Tensor:
    """The distance of each index to the end of its side, whose last index has 1; the whole length where it isn't padded."""
    length = len(indices)
    return length - indices if padded else torch.full_like(indices, length)


def _feather(mask: torch.Tensor, padding: Padding) -> int:
    """Over how many px the mask fades, measured on the line from the middle of a padded side inwards."""
    height, width = mask.shape
    row, column = mask[height // 2], mask[:, width // 2]
    # From the left and the top distances begin at 0, from the right and the bottom at 1, where a fade over 1 px is not seen.
    is_first_at_0 = bool(padding.left or padding.top)
    across = padding.left or (padding.right and not is_first_at_0)
    line = row if across else column
    line = line if is_first_at_0 else line.flip(0)
    painted = _leading(line > 0)
    return painted if is_first_at_0 or not painted else painted + 1
