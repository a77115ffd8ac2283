"""Keeps the cache of a bucket below its size limit: the files that were read the longest ago go first.

The bucket has them all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger("nano_banana")

_FOLDERS = "[0-9a-f][0-9a-f]"
_TARGET_SHARE = 0.9
_RECOUNT = 64
"""After this many new files the folder is counted again: other processes add to it, too."""


class CacheLimit:
    """The size limit of one cache, see `eviction.SizeLimit`."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.limit = limit
        self._folder, self._lock = folder, threading.Lock()
        self._total: int | None = None
        self._new_files = 0

    def add(self, size: int) -> None:
        """Counts a new file of that many bytes, and deletes older ones above the limit. Raises nothing."""
        with self._lock:
            self._new_files += 1
            if self._total is not None:
                self._total += size
            if self._total is None or self._new_files >= _RECOUNT or self._total > self.limit:
                self._total, self._new_files = self._trim(), 0

    def trim(self) -> int:
        """Deletes files above the limit; gives the bytes that remain."""
        with self._lock:
            self._total = self._trim()
            return self._total

    def _trim(self) -> int:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return total
        for _, size, file in files:
            if total <= self.limit * _TARGET_SHARE:
                break
            try:
                file.unlink(missing_ok=True)
            except OSError as error:  # on Windows somebody may be reading it
                log.info("%s stays in the cache: %s", file.name, error)
                continue
            total -= size
        return total

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for file in self._folder.glob(f"{_FOLDERS}/*"):
            try:
                facts = file.stat()
            except OSError:
                continue
            yield facts.st_mtime, facts.st_size, file
