"""Which process stands behind an open row, and whether it lives.

Each process holds an operating system's lock on a file of its own. The system lets go of it however the process ends,
SIGKILL and power loss included, and holds on to it while a process is only suspended. So nobody waits for the dead,
nobody takes from the living, and no clock is looked at.
"""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

from filelock import Timeout

from ..files import private_files


class LivenessLock:
    """This process, as others see it. Raises OSError where the folder has no room for it or can't lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.id = uuid.uuid4().hex
        private_files.make_folder(folder)
        self._lock = private_files.lock(self._file(self.id), thread_local=False)
        self._lock.acquire(timeout=0)
        self._exited: set[str] = {""}
        self._guard = threading.Lock()

    def has_exited(self, owner: str) -> bool:
        """Whether `owner` has ended. Once dead, always dead."""
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
                    pass  # Windows, or another one was faster
            self._exited.add(owner)
            return True

    def release(self) -> None:
        """Gives up being alive, as the end of the process does."""
        self._lock.release()
        try:
            os.unlink(self._file(self.id))
        except OSError:
            pass

    def _file(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"
