"""The pictures that the user has marked. The mark is in the journal and in the sidecar, for everybody who uses the folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from . import queries, sidecar
from .database import Database
from .results import Results

log = logging.getLogger("nano_banana")


def mark(database: Database, results: Results, clock: Callable[[], float], uids: Sequence[str], marked: bool) -> int:
    """See `Journal.mark_favourites`."""
    count = 0
    results.store.check()  # before the transaction, which all others wait for
    with database.write() as connection:
        known = [row.uid for row in queries.by_uids(connection, uids) if row.fingerprint]
        count = queries.update_rows(connection, known, favourite=clock() if marked else 0.0)
        for row in queries.by_uids(connection, known):
            if row.state != "stored" or not results.has(row.result, row.uid):
                continue
            facts, graph = sidecar.facts_of(connection, row)
            try:
                results.delete_sidecars(row.result, {row.uid})
                results.write_sidecar(row.result, facts, graph)
            except OSError as error:  # the journal has it; a rebuilt one wouldn't
                log.warning("the sidecar of %s could not be written: %s", row.result, error)
    return count
