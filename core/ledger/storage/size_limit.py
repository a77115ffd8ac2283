"""Counts what is added to a folder, and starts a deletion when it is too much."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from ...errors import LedgerFailed

log = logging.getLogger("nano_banana")

_RECOUNT = 64
"""After this many new pictures of this process the sum is found out again: other processes add to it, too."""


class SizeLimit(ABC):
    """What keeps a folder below its size limit. Usable from any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self._lock = threading.Lock()
        self._total: int | None = None
        self._new_pictures = 0

    def add(self, size: int) -> None:
        """Counts a new picture of that many bytes, and deletes older ones above the limit. Raises nothing."""
        with self._lock:
            self._new_pictures += 1
            if self._total is not None:
                self._total += size
            if self._total is None or self._new_pictures >= _RECOUNT or self._total > self.limit:
                try:
                    self._total, self._new_pictures = self.trim(), 0
                except LedgerFailed as error:
                    log.warning("%s", error.reason)

    @abstractmethod
    def trim(self) -> int:
        """Deletes pictures above the limit; gives the bytes that remain. Raises LedgerFailed."""
