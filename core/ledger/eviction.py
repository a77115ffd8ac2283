"""Keeps the results folder below its size limit by deleting the least recently used pictures.

Pictures that no run has read yet are kept for up to 30 days, even where the folder then exceeds the limit. The user's
favourites go last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, case, delete, func, or_, select

from . import queries
from .database import Database
from .results import Results
from .schema import picture, result
from .storage.size_limit import SizeLimit

log = logging.getLogger("nano_banana")

DEFAULT_LIMIT_BYTES = 20_000_000_000
UNREAD_DAYS = 30.0
_TARGET_SHARE = 0.95
"""Deletes down to this share of the limit, so that not every new picture starts another deletion."""


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


class Eviction(SizeLimit):
    """The size limit of one results folder."""

    def __init__(self, database: Database, results: Results, limit: int, clock: Callable[[], float]) -> None:
        super().__init__(limit)
        self._database, self._results, self._clock = database, results, clock
        self._warned = False

    def trim(self) -> int:
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
