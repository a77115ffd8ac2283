"""Checks the mask of an edit and fits it to the frames that it is for."""

from __future__ import annotations

import torch

from ..core.errors import EmptyMask, InvalidInput
from ..core.errors.messages import msg
from . import tensors
from .reference_groups import TOGETHER

_FAINTEST = 0.5 / 255
"""A mask below this everywhere changes no pixel of any picture."""
_RATIO_TOLERANCE = 0.01
_ROUNDED_TOLERANCE = 0.05
"""Of the ratio of a small mask whose sides were rounded to whole pixels."""


def validated_masks(
    mask: torch.Tensor | None, firsts: list[torch.Tensor], mode: str, notices: list[str]
) -> list[torch.Tensor]:
    """A mask for each result frame at its size; [] without a mask. Adds to `notices`. Raises InvalidInput.

    `firsts`: the frames of image_1.
    """
    if mask is None:
        return []
    given = tensors.masks(mask)
    if len(given) not in (1, len(firsts)):
        raise InvalidInput(
            msg(
                "edit_masks.mask_count_differs_from_one_frame" if len(firsts) == 1 else "edit_masks.mask_count_differs",
                given=len(given),
                firsts=len(firsts),
            ),
            cure=msg("edit_masks.give_one_mask_or_union"),
        )
    wanted = firsts[:1] if mode == TOGETHER else firsts
    if mode == TOGETHER and len(given) > 1:
        notices.append(msg("edit_masks.together_uses_first_mask"))
    fitted = []
    for index, frame in enumerate(wanted):
        one = given[index if len(given) > 1 else 0]
        which = f" {index + 1}" if len(given) > 1 else ""
        height, width = frame.shape[:2]
        if not bool((one >= _FAINTEST).any()):
            raise EmptyMask(msg("edit_masks.mask_is_empty", which=which), cure=msg("edit_masks.paint_or_disconnect"))
        if not _has_shape_of(one.shape[1], one.shape[0], int(width), int(height)):
            raise InvalidInput(
                msg(
                    "edit_masks.mask_shape_differs",
                    which=which,
                    mask_width=one.shape[1],
                    mask_height=one.shape[0],
                    width=width,
                    height=height,
                ),
                cure=msg("edit_masks.make_mask_from_image"),
            )
        scaled = tensors.fitted_mask(one, int(width), int(height))
        if not bool((scaled > 0).any()):
            raise EmptyMask(
                msg("edit_masks.mask_vanishes_when_scaled", which=which),
                cure=msg("edit_masks.paint_larger_region"),
            )
        fitted.append(scaled)
    return fitted


def _has_shape_of(width: int, height: int, image_width: int, image_height: int) -> bool:
    """Whether a mask has the shape of its image: its ratio, or sides that are at most a pixel away from that.

    The pixel counts at the size of the image, and at that of a mask which was made by scaling the image.
    """
    difference = abs((width / height) / (image_width / image_height) - 1)
    if difference <= _RATIO_TOLERANCE:
        return True
    if abs(width - image_width) <= 1 and abs(height - image_height) <= 1:
        return True
    least = max((width - 1) / image_width, (height - 1) / image_height)
    most = min((width + 1) / image_width, (height + 1) / image_height)
    return least < most and difference <= _ROUNDED_TOLERANCE


def region_needs_mask() -> InvalidInput:
    """The error for a masked region without a mask."""
    return InvalidInput(msg("edit_masks.region_needs_mask"), cure=msg("edit_masks.connect_mask_or_send_whole"))
