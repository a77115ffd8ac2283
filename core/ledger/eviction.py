"""Keeps the results folder below its size limit by deleting the least recently used pictures.

Pictures that no run has read yet are kept for up to 30 days, even where the folder then exceeds the limit. The user's
favourites go last.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, case, delete, func, or_, select

from ..errors import LedgerFailed
from . import queries
from .database import Database
from .results import Results
from .schema import picture, result

log = logging.getLogger("nano_banana")

DEFAULT_LIMIT_BYTES = 20_000_000_000
UNREAD_DAYS = 30.0
_TARGET_SHARE = 0.95
"""Deletes down to this share of the limit, so that not every new picture starts another deletion."""
_RECOUNT = 64
"""After this many pictures of this process the sum is read from the journal again: other processes add to it, too."""


def _drafts_of(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The drafts of pictures that go, and their bytes: nobody asks for them without the picture.

    A draft with the bytes of another picture or of its draft stays.
    """
    rows = [row for row in queries.by_results(connection, names) if not row.role]
    drafts = [draft for found in queries.drafts_of(connection, rows).values() for draft in found]
    uids, of_drafts = {draft.uid for draft in drafts}, {draft.result for draft in drafts} - set(names)
    shared = {row.result for row in queries.by_results(connection, list(of_drafts)) if row.uid not in uids}
    sizes = select(result.c.name, result.c.bytes)
    return {
        name: size
        for draft in of_drafts - shared
        for name, size in connection.execute(sizes.where(result.c.name == draft)).all()
    }


class Eviction:
    """The size limit of one results folder."""

    def __init__(self, database: Database, results: Results, limit: int, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._database, self._results, self._clock = database, results, clock
        self._lock = threading.Lock()
        self._total: int | None = None
        self._new_pictures = 0
        self._warned = False

    def add(self, size: int) -> None:
        """Counts a new picture of that many bytes, and deletes older ones above the limit. Raises nothing."""
        with self._lock:
            self._new_pictures += 1
            if self._total is not None:
                self._total += size
            if self._total is None or self._new_pictures >= _RECOUNT or self._total > self.limit:
                try:
                    self._total = self.trim()
                    self._new_pictures = 0
                except LedgerFailed as error:
                    log.warning("%s", error.reason)

    def trim(self) -> int:
        """Deletes pictures above the limit; gives the bytes that remain. Raises LedgerFailed."""
        deleted: list[str] = []
        unread_before = self._clock() - UNREAD_DAYS * 86400
        with self._database.write() as connection:
            total = int(connection.execute(select(func.coalesce(func.sum(result.c.bytes), 0))).scalar_one())
            if total <= self.limit:
                return total
            deletable = or_(result.c.read > 0, result.c.created < unread_before)
            newest = connection.execute(select(func.max(result.c.used))).scalar_one()
            favourite = result.c.name.in_(select(picture.c.result).where(picture.c.favourite > 0))
            last_of_all = case((favourite, 1), else_=0)
            for name, size in connection.execute(
                select(result.c.name, result.c.bytes)
                .where(deletable, result.c.used < newest)
                .order_by(last_of_all, result.c.used)
            ).all():
                if total <= self.limit * _TARGET_SHARE:
                    break
                total -= size
                deleted.append(name)
            drafts = _drafts_of(connection, deleted)
            total -= sum(drafts.values())
            for name in (*deleted, *drafts):
                connection.execute(delete(result).where(result.c.name == name))
                # Inside the transaction: a picture with the same bytes is stored after it, and writes the file again.
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
