"""Pictures whose bytes are here: finding them, marking a row as stored, and what happens to it afterwards."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ..errors import JournalAway, LedgerFailed, ResultsAway
from ..errors.messages import msg
from . import queries, sidecar
from .backlog import Backlog
from .database import Database
from .results import Results
from .schema import picture, result
from .storage.size_limit import SizeLimit
from .types import DecideEnding, RowFacts, StoredDraft, StoredImage, ledger_failed

log = logging.getLogger("nano_banana")


class ImageStore:
    """The stored pictures of one journal."""

    def __init__(
        self, database: Database, results: Results, eviction: SizeLimit, clock: Callable[[], float], backlog: Backlog
    ) -> None:
        self._database, self._results, self._backlog = database, results, backlog
        self._eviction, self._clock = eviction, clock

    def look_up(self, fingerprints: Sequence[str]) -> dict[str, StoredImage]:
        """The pictures that are here, by fingerprint."""
        with self._database.read() as connection:
            rows, drafts = queries.stored_with_drafts(connection, fingerprints)
        with_drafts = [*rows, *(draft for listed in drafts.values() for draft in listed)]
        try:
            here = self._results.existing((row.result, row.uid) for row in with_drafts)
        except ResultsAway:  # the pictures may be in the cache, and can be used without their drafts
            here = self._results.existing((row.result, row.uid) for row in rows)
        return {
            row.fingerprint: self._image(row, [draft for draft in drafts[row.uid] if (draft.result, draft.uid) in here])
            for row in rows
            if (row.result, row.uid) in here
        }

    def of_content(self, digest: str) -> list[StoredImage]:
        """The pictures with these bytes that are here, the newest first. `digest`: of the bytes, without the ending."""
        with self._database.read() as connection:
            found = connection.execute(
                select(picture)
                .where(picture.c.result.startswith(f"{digest}.", autoescape=True), picture.c.state == "stored")
                .order_by(picture.c.ended.desc())
            ).all()
        here = self._results.existing((row.result, row.uid) for row in found)
        return [self._image(row, ()) for row in found if (row.result, row.uid) in here]

    def mark_used(self, uids: Sequence[str]) -> None:
        """Notes that these pictures have reached a graph now."""
        now = self._clock()
        with self._database.write() as connection:
            names = [row.result for row in queries.by_uids(connection, uids) if row.result]
            connection.execute(update(result).where(result.c.name.in_(names)).values(used=now, read=now))

    def mark_damaged(self, uid: str, decide: DecideEnding, reason: str) -> None:
        """See `Journal.mark_damaged`."""
        with self._database.write() as connection:
            for row in queries.by_uids(connection, [uid]):
                facts = RowFacts(row.state, not row.expected, has_task=bool(row.task), has_url=bool(row.url))
                queries.update_rows(connection, [uid], result="", notified=0.0, acknowledged=0.0)
                queries.end_row(connection, uid, decide(facts), reason, row.ended)

    def store_extra(self, fingerprint: str, data: bytes, text: str) -> None:
        """Stores a picture that came beside the one with this fingerprint: it is free and belongs to no request."""
        uid = uuid.uuid4().hex
        self._store_beside(fingerprint, uid, data, text, fingerprint=f"{fingerprint}+{uid}", role="extra")

    def store_drafts(self, fingerprint: str, drafts: Sequence[bytes]) -> None:
        """Stores what the model drew before the picture with this fingerprint, in its order. They are free.

        Those of the same call that are here already, since a process ended before the picture was stored, stay.
        """
        names = queries.draft_fingerprints(fingerprint)
        try:
            with self._database.read() as connection:
                call = queries.by_fingerprints(connection, [fingerprint])[-1].call
                rows = [row for row in queries.by_fingerprints(connection, names) if row.call == call]
        except JournalAway:
            rows = []  # the row of the picture itself waits to be written, and the drafts wait behind it
        here = {row.fingerprint for row in rows if self._results.has(row.result, row.uid)}
        for name, data in zip(names, drafts, strict=False):
            if name in here:
                continue
            self._store_beside(fingerprint, uuid.uuid4().hex, data, "", fingerprint=name, role="draft")

    def _store_beside(self, requested: str, uid: str, data: bytes, text: str, **own: str) -> None:
        """Stores a free picture of the same answer as the one with the fingerprint `requested`. `own`: columns."""
        try:
            name = self._results.write_incoming(uid, data)
        except OSError as error:
            raise ledger_failed(msg("image_store.extra_picture_not_written", error=error.strerror or error)) from None
        self._results.share_then(uid, name, partial(self._add_beside, requested, uid, name, len(data), text, own))

    def _add_beside(self, requested: str, uid: str, name: str, size: int, text: str, own: Mapping[str, str]) -> None:
        """Writes the row of a free picture whose bytes have arrived."""
        now = self._clock()

        def write(connection: Connection) -> None:
            values = dict(queries.by_fingerprints(connection, [requested])[-1]._mapping) | {
                "uid": uid,
                "owner": "",
                "expected": 0,
                "counted": 0,
                "charged": 0,
                "notices": "",
                "sources": "",
                "reason": "",
                "reason_message": "",
                "favourite": 0.0,
                **own,
            }
            if not queries.by_uids(connection, [uid]):  # else an earlier commit was cut off, and is written
                connection.execute(insert(picture), [values])
            extra = queries.by_uids(connection, [uid])[0]
            mark_row_stored(connection, self._results, extra, name, size, now, text=text, was_read=True)

        def written() -> None:
            self.finalize_file(uid, name)
            self._eviction.add(size)

        self._backlog.write(write, written)

    def finalize_file(self, uid: str, name: str) -> None:
        """Gives the incoming bytes of a row that is committed as stored their name."""
        try:
            if not self._results.is_shared(name) and self._is_stored(uid, name):
                # Another machine has forgotten a picture with the same bytes before this row was committed.
                self._results.share(uid, name)
            self._results.finalize(uid, name)
        except (OSError, LedgerFailed) as error:  # `Results.has` and `read` look into the incoming folder, too
            log.warning("%s stays in the incoming folder: %s", name, error)

    def _is_stored(self, uid: str, name: str) -> bool:
        with self._database.read() as connection:
            return any(row.state == "stored" and row.result == name for row in queries.by_uids(connection, [uid]))

    def _image(self, row: Row[Any], drafts: Sequence[Row[Any]]) -> StoredImage:
        return StoredImage(
            row.uid,
            row.fingerprint,
            row.provider,
            row.model,
            row.text,
            queries.stored_notices(row),
            partial(self._results.read, row.result, row.uid),
            row.result,
            queries.stored_sources(row),
            tuple(StoredDraft(each.uid, partial(self._results.read, each.result, each.uid)) for each in drafts),
            row.prompt,
        )


def mark_row_stored(
    connection: Connection,
    results: Results,
    row: Row[Any],
    name: str,
    size: int,
    now: float,
    *,
    text: str = "",
    request_id: str = "",
    was_read: bool,
    notices: str = "",
    sources: str = "",
    **cost: int,
) -> None:
    """Marks a row whose bytes are in the incoming folder as stored, and writes its sidecar before the commit.

    `text`, `request_id`, `notices` and `sources` (JSON lists) replace what the row has where they are not empty.
    `was_read`: whether a run takes the picture now. `cost`: the columns `charged` and `counted`.
    """
    values: dict[str, Any] = {"state": "stored", "owner": "", "result": name, "ended": now, **cost}
    values |= {"text": text or row.text, "request_id": request_id or row.request_id}
    if not row.counted:  # it was taken for free, or for not charged: a picture has its price
        values.setdefault("counted", row.expected)
    values |= {name: given for name, given in (("notices", notices), ("sources", sources)) if given}
    queries.update_rows(connection, [row.uid], **values)
    if connection.execute(select(result.c.name).where(result.c.name == name)).first() is None:
        file_format = name.rpartition(".")[2]
        read = now if was_read else 0.0
        connection.execute(
            insert(result).values(name=name, bytes=size, format=file_format, created=now, used=now, read=read)
        )
    elif was_read:
        connection.execute(update(result).where(result.c.name == name).values(used=now, read=now))
    try:
        results.write_sidecar(name, *sidecar.facts_of(connection, queries.by_uids(connection, [row.uid])[0]))
    except OSError as error:
        log.warning("the sidecar of %s could not be written: %s", name, error)
