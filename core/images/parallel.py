"""Works on several pictures at a time, on all cores, with a bound on memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MOST_PIXELS = 24 << 20
"""Pixels that are worked on at a time, unless said otherwise: one picture of 4096x4096, or more smaller ones."""


class PixelLimit:
    """Lets work on pictures begin while it fits into a number of pixels, and at most one for each core. One always may."""

    def __init__(self, most_pixels: int = MOST_PIXELS, most: int = CORES) -> None:
        self._most_pixels, self._most = most_pixels, most
        self._running = self._pixels = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for a picture, and keeps it."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(pixels))
            self._running, self._pixels = self._running + 1, self._pixels + pixels
        try:
            yield
        finally:
            with self._changed:
                self._running, self._pixels = self._running - 1, self._pixels - pixels
                self._changed.notify_all()

    def _has_room(self, pixels: int) -> bool:
        return not self._running or (self._running < self._most and self._pixels + pixels <= self._most_pixels)


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
