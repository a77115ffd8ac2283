"""Works on several pictures at a time, on all cores, with a bound on memory."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MOST_PIXELS = max(32, 4 * CORES) << 20
"""Pixels that are encoded at a time; each takes 20 bytes at the end, and 12 before."""
_LARGE = 8 << 20
"""Pixels of a picture from which on two don't begin together, so that both would need most at the same moment."""
_TICK = 0.02
_USUAL_SECONDS = 45e-9
"""For a pixel of the first large picture, before it is known how fast this machine is."""


class PixelLimit:
    """Lets work on pictures begin while it fits into a number of pixels, and at most one for each core. One always may.

    A large one begins when the one before it is half done, as far as the last one tells.
    """

    def __init__(self, most_pixels: int = MOST_PIXELS, most: int = CORES) -> None:
        self._most_pixels, self._most = most_pixels, most
        self._running = self._pixels = 0
        self._changed = threading.Condition()
        self._last_begun, self._seconds = -math.inf, _USUAL_SECONDS

    @contextmanager
    def reserved(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for a picture, and keeps it."""
        with self._changed:
            while not self._has_room(pixels):
                self._changed.wait(_TICK)
            self._running, self._pixels = self._running + 1, self._pixels + pixels
            begun = time.monotonic()
            if pixels >= _LARGE:
                self._last_begun = begun
        try:
            yield
        finally:
            with self._changed:
                self._running, self._pixels = self._running - 1, self._pixels - pixels
                if pixels >= _LARGE:
                    self._seconds = (time.monotonic() - begun) / pixels
                self._changed.notify_all()

    def _has_room(self, pixels: int) -> bool:
        if not self._running:
            return True
        if pixels >= _LARGE and time.monotonic() - self._last_begun < self._seconds * pixels / 2:
            return False
        return self._running < self._most and self._pixels + pixels <= self._most_pixels


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of each item, in their order; on daemon threads, since those of an executor delay the end of a process.

    Raises the error of the first item that has one; what has not begun by then is left out.
    """
    done: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    waiting, lock = iter(range(len(items))), threading.Lock()

    def work_on() -> None:
        while not errors:
            with lock:
                index = next(waiting, None)
            if index is None:
                return
            try:
                done[index] = work(items[index])
            except BaseException as error:
                errors[index] = error

    others = [
        threading.Thread(target=copy_context().run, args=(work_on,), name="nano-banana-pictures", daemon=True)
        for _ in range(min(CORES, len(items)) - 1)
    ]
    for thread in others:
        thread.start()
    work_on()
    for thread in others:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return [done[index] for index in range(len(items))]
