"""The steps of a paid call, written into the journal as they happen."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from ..errors.messages import msg
from . import queries
from .backlog import Backlog
from .database import Database
from .image_store import ImageStore, mark_row_stored
from .ownership import Ownership
from .results import Results
from .schema import picture
from .storage.size_limit import SizeLimit
from .types import OPEN_STATES, DecideEnding, RowFacts, ledger_failed, micros

log = logging.getLogger("nano_banana")

_NOT_STORED = picture.c.state != "stored"


class CallSteps:
    """Writes what happens to the pictures that this process holds."""

    def __init__(
        self,
        database: Database,
        results: Results,
        ownership: Ownership,
        image_store: ImageStore,
        eviction: SizeLimit,
        clock: Callable[[], float],
        backlog: Backlog,
    ) -> None:
        self._database, self._results, self._ownership, self._backlog = database, results, ownership, backlog
        self._image_store, self._eviction, self._clock = image_store, eviction, clock

    def mark_sent(self, fingerprints: Sequence[str], call: str) -> None:
        """See `Journal.mark_sent`."""
        self._backlog.flush()
        while not self._mark_sent(fingerprints, call, self._ownership.id):
            pass  # it has lost its lock, and waits for it above

    def _mark_sent(self, fingerprints: Sequence[str], call: str, owner: str) -> bool:
        """False, with nothing written, where others may soon take this process for ended. Raises LedgerFailed."""
        now = self._clock()
        with self._database.write() as connection:
            if not self._ownership.is_seen(connection):
                return False
            for index, fingerprint in enumerate(fingerprints):
                changed = connection.execute(
                    update(picture)
                    .where(
                        picture.c.uid == self._ownership.uid_of(fingerprint),
                        picture.c.owner == owner,
                        picture.c.state.in_(("reserved", "sent")),
                    )
                    .values(state="sent", call=call, index_in_call=index, sent=now, attempts=picture.c.attempts + 1)
                )
                if changed.rowcount != 1:
                    raise ledger_failed(msg("call_steps.reservation_lost_not_sent"))
        return True

    def mark_retryable(self, fingerprints: Sequence[str]) -> None:
        """See `Journal.mark_retryable`."""
        uids = list(self._ownership.uids_of(fingerprints).values())
        self._backlog.write(lambda connection: queries.update_rows(connection, uids, _NOT_STORED, state="reserved"))

    def mark_accepted(self, fingerprints: Sequence[str], task: Mapping[str, Any]) -> None:
        """See `Journal.mark_accepted`."""
        values = {"state": "accepted", "task": json.dumps(task)}
        self._backlog.write(lambda connection: self._update(connection, fingerprints, **values))

    def mark_answered(self, urls: Mapping[str, str], text: str, usd: float | None, request_id: str) -> None:
        """See `Journal.mark_answered`."""

        def write(connection: Connection) -> None:
            for fingerprint, url in urls.items():
                values = {"state": "answered", "url": url, "text": text, "request_id": request_id}
                self._update(connection, [fingerprint], **values, **_cost(usd))

        self._backlog.write(write)

    def write_incoming(self, fingerprint: str, data: bytes) -> None:
        """See `Journal.write_incoming`."""
        held = self._ownership.held(fingerprint)
        try:
            held.file, held.size = self._results.write_incoming(held.uid, data), len(data)
        except OSError as error:
            raise ledger_failed(
                msg("call_steps.folder_not_writable", folder=self._results.folder, error=error.strerror or error)
            ) from None

    def reader(self, fingerprint: str) -> Callable[[], bytes]:
        """See `Journal.reader`."""
        held = self._ownership.held(fingerprint)
        return partial(self._results.read, held.file, held.uid)

    def mark_stored(
        self,
        fingerprint: str,
        text: str,
        usd: float | None,
        request_id: str,
        *,
        notices: Sequence[str],
        sources: Sequence[tuple[str, str]],
        was_read: bool,
    ) -> None:
        """See `Journal.mark_stored`."""
        held = self._ownership.held(fingerprint)
        uid, name, size = held.uid, held.file, held.size
        if not name:
            raise KeyError(fingerprint)
        now = self._clock()

        def write(connection: Connection) -> None:
            self._update(connection, [fingerprint], owner="")
            mark_row_stored(
                connection,
                self._results,
                queries.by_uids(connection, [uid])[0],
                name,
                size,
                now,
                text=text,
                request_id=request_id,
                was_read=was_read,
                notices=json.dumps(list(notices)) if notices else "",
                sources=json.dumps(list(sources)) if sources else "",
                **_cost(usd),
            )
            self._database.announce(connection, [fingerprint])
            self._ownership.release({fingerprint: uid})

        def written() -> None:
            self._image_store.finalize_file(uid, name)
            self._ownership.notify_waiters()
            self._eviction.add(size)

        def failed() -> None:
            # The call has ended meanwhile. Who asks for the picture next finds its bytes.
            self._ownership.release({fingerprint: uid})
            self._ownership.notify_waiters()

        is_late = threading.Event()

        def write_down() -> None:
            if not self._backlog.write(write, written, lambda: failed() if is_late.is_set() else None):
                is_late.set()

        try:
            self._results.share_then(uid, name, write_down, failed)
        except OSError as error:
            raise ledger_failed(
                msg("call_steps.folder_not_readable", folder=self._results.folder, error=error.strerror or error)
            ) from None

    def keep_unreadable(self, fingerprint: str, data: bytes) -> Path | None:
        """See `Journal.keep_unreadable`."""
        try:
            return self._results.keep_unreadable(self._ownership.held(fingerprint).uid, data)
        except OSError:
            return None

    def mark_failed(self, fingerprints: Sequence[str], decide: DecideEnding, reason: str) -> dict[str, str]:
        """See `Journal.mark_failed`."""
        failed = self._ownership.uids_of(fingerprints)
        if not failed:
            return {}
        now = self._clock()
        ended: dict[str, str] = {}

        def write(connection: Connection) -> None:
            for row in queries.by_uids(connection, list(failed.values())):
                if row.state in OPEN_STATES:
                    has_bytes, is_order = self._results.has_incoming(row.uid), queries.is_order(row)
                    facts = RowFacts(row.state, not row.expected, has_bytes, is_order=is_order)
                    queries.end_row(connection, row.uid, decide(facts), reason, now)
                if row.state != "reserved":
                    ended[row.fingerprint] = row.uid
            self._database.announce(connection, failed)
            self._ownership.release(failed)

        def dropped() -> None:
            # The row says what can be done; this process no longer works on it.
            self._ownership.release(failed)
            self._ownership.notify_waiters()

        # What waits for the journal stays held: this process writes it down.
        return ended if self._backlog.write(write, self._ownership.notify_waiters, dropped) else failed

    def mark_notified(self, uids: Sequence[str], run: str) -> None:
        """See `Journal.mark_notified`."""
        with self._database.write() as connection:
            queries.update_rows(connection, uids, notified=self._clock(), notified_run=run, agreed_run="")

    def _update(self, connection: Connection, fingerprints: Sequence[str], **values: Any) -> None:
        """Changes rows that this process holds. Rows that a replaced file lacks are written again.

        A row that another machine has stored, while this one was cut off from the journal, stays as it is.
        """
        uids = list(self._ownership.uids_of(fingerprints).values())
        if queries.update_rows(connection, uids, _NOT_STORED, **values) == len(uids):
            return
        states = {row.uid: row.state for row in queries.by_uids(connection, uids)}
        uids = [uid for uid in uids if states.get(uid) != "stored"]
        for uid in uids:
            held = self._ownership.find(uid)
            if uid not in states and held is not None and held.reserved_row is not None:
                row = {**held.reserved_row, "state": "sent", "sent": self._clock()}
                connection.execute(insert(picture), [row])
        if queries.update_rows(connection, uids, _NOT_STORED, **values) != len(uids):
            raise ledger_failed(msg("call_steps.picture_not_in_journal"))


def _cost(usd: float | None) -> dict[str, int]:
    """The columns for a price that the provider names."""
    return {} if usd is None else {"charged": micros(usd), "counted": micros(usd)}
