"""Tells whether the process that an open row belongs to still runs.

Each process locks a file of its own. The operating system releases the lock however the process ends, SIGKILL and power loss
included, and keeps it while the process is suspended. So a row is taken over as soon as its process has ended, never earlier,
and clocks don't matter.
"""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

from filelock import Timeout

from ..files import private_files


class LivenessLock:
    """The lock of this process; `id` is written into its rows.

    Raises OSError where the folder can't be written or its file system can't lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.id = uuid.uuid4().hex
        private_files.make_folder(folder)
        self._lock = private_files.lock(self._file(self.id), thread_local=False)
        self._lock.acquire(timeout=0)
        self._exited: set[str] = {""}
        self._guard = threading.Lock()

    def require(self) -> None:
        """Does nothing: the operating system keeps the lock as long as the process runs."""

    def is_seen(self, connection: object) -> bool:
        """True: the operating system keeps the lock."""
        return True

    def has_exited(self, owner: str) -> bool:
        """Whether the process with that id has ended. Remembered: ids are never used twice."""
        if owner == self.id:
            return False
        with self._guard:
            if owner in self._exited:
                return True
            file = self._file(owner)
            if file.exists():
                probe = private_files.lock(file, thread_local=False)
                try:
                    probe.acquire(timeout=0)
                except Timeout:
                    return False
                probe.release()
                try:
                    file.unlink()
                except OSError:
                    pass  # an open file on Windows, or another process has deleted it
            self._exited.add(owner)
            return True

    def release(self) -> None:
        """Releases the lock, as the end of the process does."""
        self._lock.release()
        try:
            os.unlink(self._file(self.id))
        except OSError:
            pass

    def _file(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"
