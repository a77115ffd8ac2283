"""One run at a time in the cache: a lock that the operating system lets go of when its holders are gone.

On Linux and macOS the lock is handed on to pip, so that a pip which outlives a killed run is waited for and not
worked against. Used by `environment.py` around everything that writes. Refuses nothing: it waits.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

PAUSE = 0.2


def _take(descriptor: int) -> bool:
    """Tries once, without waiting."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Lock:
    """`with Lock(path, waiting):` holds the lock; `waiting()` is called once if somebody else has it."""

    def __init__(self, path: Path, waiting: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._waiting = waiting
        self._descriptor = -1

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors a child must keep so that the lock lives as long as it does (none on Windows)."""
        return () if sys.platform == "win32" or self._descriptor < 0 else (self._descriptor,)

    def __enter__(self) -> "Lock":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        told = False
        try:
            while not _take(self._descriptor):
                if not told:
                    self._waiting()
                    told = True
                time.sleep(PAUSE)
        except BaseException:
            os.close(self._descriptor)
            self._descriptor = -1
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing is enough: a child that still holds its copy keeps the lock, which is the point.
        os.close(self._descriptor)
        self._descriptor = -1
