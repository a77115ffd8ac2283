"""Puts results that came back moved or zoomed into line with their originals, and records how far they were."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..tensors import resampled
from .registration import Movement, movement

OFF, SHIFT, SHIFT_AND_SCALE = "off", "shift", "shift and scale"
_LEAST_PX = 0.1
"""Less than this is the error of the measurement: to move the picture would only soften it."""
_ZOOMED_PX = 0.5
"""A zoom that moves the edges by more than this is named."""


@dataclass(frozen=True)
class Alignment:
    """What was measured for one result, and done."""

    moved: Movement | None
    """None where too little is kept or the parts do not agree."""
    farthest: float = 0.0
    """px that the corner which is moved most is moved by, of the smaller of the two pictures."""
    is_zoomed: bool = False
    applied: bool = False
    wanted: bool = False
    """Whether `align` asks for it."""

    @property
    def fact(self) -> list[float] | None:
        """As it is in `info`."""
        if self.moved is None:
            return None
        moved = self.moved
        return [rounded(moved.dx, 3), rounded(moved.dy, 3), round(moved.sx, 5), round(moved.sy, 5)]


def aligned(
    colours: torch.Tensor,
    transparency: torch.Tensor,
    original: tuple[torch.Tensor, torch.Tensor],
    kept: torch.Tensor | None,
    mode: str,
    enlarged: float,
) -> tuple[torch.Tensor, torch.Tensor, Alignment]:
    """A result, colours [H, W, 3] and transparency [H, W], in line with `original`, and what was measured.

    `kept`: above 0 where the result should show what the original does; everywhere without it. `mode`: a choice of `align`.
    `enlarged`: the factor at which the result was brought to this size from that at which it came back.
    """
    height, width = colours.shape[:2]
    found = _trusted(movement(original[0], colours, kept)) if mode == SHIFT else None
    # A zoom that a shift does not explain is told all the same.
    moved = found or _trusted(movement(original[0], colours, kept, with_scale=True))
    if moved is None:
        return colours, transparency, Alignment(None, wanted=mode != OFF)
    farthest = _farthest(moved, width, height)
    if farthest < moved.noise:
        return colours, transparency, Alignment(moved, wanted=mode != OFF)
    smaller = farthest / max(1.0, enlarged)
    applied = mode == SHIFT_AND_SCALE or (mode == SHIFT and found is not None)
    is_zoomed = max(abs(moved.sx - 1) * width, abs(moved.sy - 1) * height) / 2 > _ZOOMED_PX
    alignment = Alignment(moved, smaller, is_zoomed, applied, mode != OFF)
    if not applied or farthest < _LEAST_PX:
        return colours, transparency, alignment
    colours = put_right(colours, original[0], moved)
    if bool(transparency.any()) or bool(original[1].any()):
        transparency = put_right(transparency.unsqueeze(-1), original[1].unsqueeze(-1), moved)[..., 0]
    return colours, transparency, alignment


def rounded(px: float, digits: int) -> float:
    """Without the sign of a zero."""
    return round(px, digits) + 0.0


def _trusted(found: Movement | None) -> Movement | None:
    return found if found is not None and found.is_trusted else None


def _farthest(moved: Movement, width: int, height: int) -> float:
    """px that the corner which is moved most is moved by, in the larger of the two directions."""
    across = abs(moved.dx) + abs(moved.sx - 1) * width / 2
    down = abs(moved.dy) + abs(moved.sy - 1) * height / 2
    return max(across, down)


def put_right(result: torch.Tensor, original: torch.Tensor, moved: Movement) -> torch.Tensor:
    """`result` [H, W, C] with its movement undone; edges that it does not cover come from `original`, of the same shape."""
    height, width = result.shape[:2]
    columns = _positions(width, moved.sx, moved.dx)
    rows = _positions(height, moved.sy, moved.dy)
    out = resampled(resampled(result, 1, columns), 0, rows).clamp_(0, 1)
    bare_columns, bare_rows = _beyond(columns, width), _beyond(rows, height)
    out[:, bare_columns] = original[:, bare_columns]
    out[bare_rows] = original[bare_rows]
    return out


def _positions(length: int, scale: float, shift: float) -> torch.Tensor:
    """Where in the result each px of the original is along one side."""
    middle = (length - 1) / 2
    return (torch.arange(length, dtype=torch.float64) - middle) * scale + middle + shift


def _beyond(positions: torch.Tensor, length: int) -> torch.Tensor:
    return (positions < -0.5) | (positions > length - 0.5)
