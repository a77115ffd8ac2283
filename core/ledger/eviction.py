"""Keeps the results' folder below its size: the least recently used go first.

What no run has read yet was paid for and never seen: it is kept, up to 30 days, even when the folder grows over its size.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import delete, func, or_, select

from ..errors import LedgerFailed
from .database import Database
from .results import Results
from .schema import result

log = logging.getLogger("nano_banana")

DEFAULT_LIMIT_BYTES = 20_000_000_000
UNREAD_DAYS = 30.0
_LOW = 0.95
"""It is brought down to this share of its size, so that not every new picture makes it look again."""
_RECOUNT = 64
"""After so many pictures of our own the sum is counted anew: other processes add to it, too."""


class Eviction:
    """The size of one results' folder."""

    def __init__(self, database: Database, results: Results, limit: int, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._database, self._results, self._clock = database, results, clock
        self._guard = threading.Lock()
        self._total: int | None = None
        self._since = 0
        self._warned = False

    def add(self, size: int) -> None:
        """A picture came in. Makes room where there is none; never raises."""
        with self._guard:
            self._since += 1
            if self._total is not None:
                self._total += size
            if self._total is None or self._since >= _RECOUNT or self._total > self.limit:
                try:
                    self._total = self.trim()
                    self._since = 0
                except LedgerFailed as error:
                    log.warning("%s", error.reason)

    def trim(self) -> int:
        """Deletes what is over the size; gives what is left, in bytes. Raises LedgerFailed."""
        gone: list[str] = []
        old = self._clock() - UNREAD_DAYS * 86400
        with self._database.write() as connection:
            total = int(connection.execute(select(func.coalesce(func.sum(result.c.bytes), 0))).scalar_one())
            if total <= self.limit:
                return total
            free = or_(result.c.read > 0, result.c.created < old)
            newest = connection.execute(select(func.max(result.c.used))).scalar_one()
            for name, size in connection.execute(
                select(result.c.name, result.c.bytes).where(free, result.c.used < newest).order_by(result.c.used)
            ).all():
                if total <= self.limit * _LOW:
                    break
                total -= size
                gone.append(name)
            for name in gone:
                connection.execute(delete(result).where(result.c.name == name))
                # Inside the transaction: an equal picture that comes in meanwhile waits, and then writes its bytes anew.
                try:
                    self._results.delete(name)
                except OSError as error:
                    log.warning("%s could not be deleted: %s", name, error)
        if total > self.limit and not self._warned:
            self._warned = True
            log.warning(
                "The results take %d MB, more than their %d MB: pictures that no run has read yet are kept for 30 days.",
                total >> 20,
                self.limit >> 20,
            )
        return total
