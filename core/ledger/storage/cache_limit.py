"""Keeps the cache of a bucket below its size limit: the files that were read the longest ago go first.

The bucket has them all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from .size_limit import SizeLimit

log = logging.getLogger("nano_banana")

_FOLDERS = "[0-9a-f][0-9a-f]"
_TARGET_SHARE = 0.9


class CacheLimit(SizeLimit):
    """The size limit of one cache."""

    def __init__(self, folder: Path, limit: int) -> None:
        super().__init__(limit)
        self._folder = folder

    def trim(self) -> int:
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
