"""Checks the mask of an edit and fits it to the frames that it is for."""

from __future__ import annotations

import torch

from ..core.errors import Impossible
from . import tensors
from .reference_groups import TOGETHER

_RATIO_TOLERANCE = 0.01


def masks_for(
    mask: torch.Tensor | None, firsts: list[torch.Tensor], mode: str, notices: list[str]
) -> list[torch.Tensor]:
    """A mask for each result frame at its size; [] without a mask. Adds to `notices`. Raises Impossible.

    `firsts`: the frames of image_1.
    """
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
