"""The choices of `output_size`, and the cut to a multiple of pixels that some of them ask for."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..core.errors.messages import msg
from .output_image import OutputImage

AS_RETURNED, MATCH = "as returned", "match first image"
MULTIPLES = {"multiple of 8": 8, "multiple of 64": 64}
"""Choice -> px that both sides are a multiple of, for the VAE of a local model."""
OUTPUT_SIZES = [AS_RETURNED, MATCH, *MULTIPLES]


def cut_to_multiple(output: OutputImage, multiple: int) -> OutputImage:
    """`output` with its picture, mask and original each cut at the centre to the next smaller multiple of `multiple` px.

    A side shorter than that stays as it is: there is nothing to cut it to. Adds a notice for what was cut or stays.
    """
    notices = [*output.notices, *_notices("result", output.image, multiple)]
    original = output.original
    if original is not None:
        if original.shape[:2] != output.image.shape[:2]:
            notices += _notices("original", original, multiple)
        original = _cut(original, multiple)
    return replace(
        output,
        image=_cut(output.image, multiple),
        mask=_cut(output.mask, multiple),
        original=original,
        notices=notices,
    )


def _cut(frame: torch.Tensor, multiple: int) -> torch.Tensor:
    """The centre of a frame [H, W, C] or a mask [H, W]."""
    height, width = frame.shape[:2]
    new_height, new_width = _side(height, multiple), _side(width, multiple)
    top, left = (height - new_height) // 2, (width - new_width) // 2
    return frame[top : top + new_height, left : left + new_width]


def _side(length: int, multiple: int) -> int:
    return length - length % multiple if length >= multiple else length


def _notices(what: str, frame: torch.Tensor, multiple: int) -> list[str]:
    """What the cut does to a frame. `what`: "result" or "original"."""
    height, width = frame.shape[:2]
    new_height, new_width = _side(height, multiple), _side(width, multiple)
    notices = []
    if (new_height, new_width) != (height, width):
        notices.append(
            msg(
                "output_size.cut_to_multiple",
                what=what,
                width=width,
                height=height,
                new_width=new_width,
                new_height=new_height,
                multiple=multiple,
            )
        )
    if min(height, width) < multiple:
        notices.append(msg("output_size.side_too_short", what=what, width=width, height=height, multiple=multiple))
    return notices
