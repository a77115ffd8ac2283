"""Puts results that came back moved or zoomed into line with their originals, and says how far they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..core.errors.messages import msg
from .align import Movement, movement, put_right

OFF, SHIFT, SHIFT_AND_SCALE = "off", "shift", "shift and scale"
_NOTICE_PX = 1.0
"""A result that is moved by more than this, in px of the smaller of the two pictures, is told."""
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
        return [_rounded(moved.dx, 3), _rounded(moved.dy, 3), round(moved.sx, 5), round(moved.sy, 5)]


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
    if _farthest(moved, width, height) < moved.noise:
        moved = Movement(0.0, 0.0)
    farthest = _farthest(moved, width, height)
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


def _rounded(px: float, digits: int) -> float:
    """Without the sign of a zero."""
    return round(px, digits) + 0.0


def _trusted(found: Movement | None) -> Movement | None:
    return found if found is not None and found.is_trusted else None


def _farthest(moved: Movement, width: int, height: int) -> float:
    """px that the corner which is moved most is moved by, in the larger of the two directions."""
    across = abs(moved.dx) + abs(moved.sx - 1) * width / 2
    down = abs(moved.dy) + abs(moved.sy - 1) * height / 2
    return max(across, down)


def alignment_notices(results: Sequence[Alignment]) -> list[str]:
    """What the user should know about the results of a run, in one notice for each kind, however many they are."""
    noticed = [each for each in results if each.moved is not None and each.farthest > _NOTICE_PX]
    notices = []
    for applied in (False, True):
        these = [each for each in noticed if each.applied is applied]
        if these:
            notices.append(_notice(these, len(results), applied))
    lost = sum(1 for each in results if each.moved is None and each.wanted)
    if lost:
        count = "" if len(results) == 1 else msg("alignment.for_some", count=lost, total=len(results))
        notices.append(msg("alignment.not_measured", count=count))
    return notices


def _notice(these: Sequence[Alignment], total: int, applied: bool) -> str:
    """One notice about results that came back moved."""
    worst = max(these, key=lambda each: each.farthest)
    assert worst.moved is not None
    zoomed = any(each.is_zoomed for each in these)
    cure = (
        msg("alignment.was_put_right")
        if applied
        else msg("alignment.set_align", choice=SHIFT_AND_SCALE if zoomed else SHIFT)
    )
    if total > 1:
        return msg("alignment.some_moved", count=len(these), total=total, px=f"{worst.farthest:.1f}", cure=cure)
    how = _how(worst.moved, zoomed)
    return msg("alignment.result_moved", how=how, cure=cure)


def _how(moved: Movement, zoomed: bool) -> str:
    """The shift and the zoom that were measured, without what is rounded to nothing."""
    dx, dy = _rounded(moved.dx, 1), _rounded(moved.dy, 1)
    by = msg("alignment.shifted_by", dx=f"{dx:.1f}", dy=f"{dy:.1f}") if dx or dy else ""
    if not zoomed:
        return by
    across, down = f"{moved.sx * 100:.1f}", f"{moved.sy * 100:.1f}"
    to = msg("alignment.zoomed_to", percent=across)
    if across != down:
        to = msg("alignment.zoomed_unevenly", across=across, down=down)
    return msg("alignment.shifted_and_zoomed", shifted=by, zoomed=to) if by else to
