"""Encodes the references of calls that wait for their turn while the answers of those before them are awaited.

Otherwise all calls of a long batch encode at the same moment, when a place is free and the provider has nothing to do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..images.picture import Picture

MOST_PIXEL_BYTES = 128 << 20
"""Pixels of the pictures whose files may be made before their turn: the files wait in memory."""


class EncodeAhead:
    """One thread for all calls of a run at a provider; it ends when it has nothing to do."""

    def __init__(
        self,
        references: Sequence[Sequence[Picture]],
        encode: Callable[[int], object],
        at_once: int,
        stopped: Callable[[], bool],
    ) -> None:
        """`references`: those of each call, in the order in which calls begin. `encode` makes the files of one of the calls,
        which its pictures remember; what it raises is raised again when the call encodes for itself."""
        self._references, self._encode, self._at_once, self._stopped = references, encode, at_once, stopped
        self._next = 0
        self._due: deque[int] = deque()
        self._begun: set[int] = set()
        self._lock = threading.Lock()
        self._is_at_work = False

    @contextmanager
    def turn_of(self, number: int) -> Iterator[None]:
        """A call encodes for itself within. Then the next are encoded: as many as run at once, all perhaps begin together."""
        with self._lock:
            self._begun.add(number)
        yield
        with self._lock:
            last = min(number + self._at_once, len(self._references) - 1)
            first, self._next = max(self._next, number + 1), max(self._next, last + 1)
            self._due.extend(each for each in range(first, last + 1) if self._is_small(each))
            if not self._due or self._is_at_work:
                return
            self._is_at_work = True
        try:
            threading.Thread(target=self._work, name="nano-banana-pictures", daemon=True).start()
        except RuntimeError:  # the system has no thread left: the calls encode for themselves
            with self._lock:
                self._is_at_work = False

    def _is_small(self, number: int) -> bool:
        size = sum(each.width * each.height * each.channels for each in self._references[number])
        return 0 < size * self._at_once <= MOST_PIXEL_BYTES

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._due or self._stopped():
                    self._is_at_work = False
                    return
                number = self._due.popleft()
                if number in self._begun:
                    continue
            try:
                self._encode(number)
            except Exception:  # the call meets it, too, and reports it
                continue
