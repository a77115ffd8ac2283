"""What the user should know about results that came back moved or zoomed."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors.messages import msg
from .registration import Movement
from .result import SHIFT, SHIFT_AND_SCALE, Alignment, rounded

_NOTICE_PX = 1.0
"""A result that is moved by more than this, in px of the smaller of the two pictures, is told."""


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
    dx, dy = rounded(moved.dx, 1), rounded(moved.dy, 1)
    by = msg("alignment.shifted_by", dx=f"{dx:.1f}", dy=f"{dy:.1f}") if dx or dy else ""
    if not zoomed:
        return by
    across, down = f"{moved.sx * 100:.1f}", f"{moved.sy * 100:.1f}"
    to = msg("alignment.zoomed_to", percent=across)
    if across != down:
        to = msg("alignment.zoomed_unevenly", across=across, down=down)
    return msg("alignment.shifted_and_zoomed", shifted=by, zoomed=to) if by else to
