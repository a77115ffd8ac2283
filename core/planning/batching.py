"""Splits the pictures of a run into calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..request import Slot


def batches(slots: Iterable[Slot], max_count: Callable[[int], int]) -> list[list[Slot]]:
    """One list of slots for each call: neighbouring slots of a frame, up to `max_count(frame)` of them.

    `max_count`: how many pictures one call for that frame can give.
    """
    found: list[list[Slot]] = []
    for slot in slots:
        last = found[-1] if found else None
        if last and last[0].frame == slot.frame and len(last) < max_count(slot.frame):
            last.append(slot)
        else:
            found.append([slot])
    return found
