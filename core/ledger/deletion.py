"""Deletes pictures from the journal and the results, and keeps what was spent."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from . import queries
from .journal import Journal
from .schema import graph, picture, result
from .types import OPEN_STATES

_AT_ONCE = 20


class Deletion:
    """Deletes pictures of one journal. Every method may raise LedgerFailed."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._database, self._results = journal, journal.database, journal.results

    def forget(
        self, uids: Sequence[str] | None = None, *, before: float | None = None, keep_favourites: bool = False
    ) -> int:
        """Deletes pictures: by uid, or those older than `before` (Unix time), or all; gives how many.

        Bytes, prompt, text, graph, task and drafts are deleted. What was spent stays, or a cap could be exceeded by deleting.
        Pictures that a call works on are left alone.
        """
        if uids is None:
            statement = select(picture.c.uid).where(picture.c.fingerprint != "", picture.c.role != "draft")
            if before is not None:
                statement = statement.where(picture.c.created < before)
            if keep_favourites:
                statement = statement.where(picture.c.favourite == 0)
            with self._database.read() as connection:
                uids = list(connection.execute(statement).scalars())
        # All other machines wait for a transaction, and a bucket takes some time for each picture.
        count = sum(self._forget(uids[start : start + _AT_ONCE]) for start in range(0, len(uids), _AT_ONCE))
        with self._database.write() as connection:
            used = select(picture.c.graph).distinct()
            connection.execute(delete(graph).where(graph.c.id.not_in(used)))
        return count

    def _forget(self, uids: Sequence[str]) -> int:
        """Deletes pictures in one transaction; gives how many."""
        deleted: list[tuple[str, str]] = []
        """(uid, file name)"""
        calls, ordered = set[str](), dict[str, str]()
        """`ordered`: uid of a picture of an order -> the name of its kept answer."""
        pictures = 0
        self._results.store.check()  # before the transaction, which all others wait for
        with self._database.write() as connection:
            chosen = queries.by_uids(connection, uids)
            drafts = queries.drafts_of(connection, chosen)
            for row in [*chosen, *(draft for listed in drafts.values() for draft in listed)]:
                if row.state in OPEN_STATES and not self._journal.ownership.is_stalled(row):
                    continue
                state = "unknown" if row.state in OPEN_STATES and row.counted else row.state
                cleared = dict.fromkeys(
                    (
                        *("fingerprint", "owner", "prompt", "text", "task", "url", "reason", "reason_message"),
                        *("graph", "result"),
                    ),
                    "",
                )
                queries.update_rows(connection, [row.uid], **cleared, state=state, node="", address="", favourite=0.0)
                pictures += row.role != "draft"
                deleted.append((row.uid, row.result))
                calls.add(row.call)
                if queries.is_order(row):
                    ordered[row.uid] = queries.answer_names(row)[0]
            calls -= {call for call in calls if any(row.fingerprint for row in queries.by_call(connection, call))}
            for name in {name for _, name in deleted if name}:
                if connection.execute(select(picture.c.uid).where(picture.c.result == name)).first() is None:
                    connection.execute(delete(result).where(result.c.name == name))
                    self._results.delete(name)
                else:
                    self._results.delete_sidecars(name, {uid for uid, _ in deleted})
        for uid, _ in deleted:
            self._results.delete_incoming(uid)
        for uid in ordered:
            self._journal.turns.delete_ordered(uid, has_turn=False)
        for name in (*calls, *ordered.values()):
            self._journal.answers.delete(name)
        return pictures
