"""Takes over paid calls that no process works on, so that their pictures are fetched without paying again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from ..errors import JournalAway
from ..errors.messages import msg
from . import queries
from .backlog import Backlog
from .database import Database
from .image_store import mark_row_stored
from .kept_answers import KeptAnswers
from .ownership import HeldPicture, Ownership
from .results import Results, name_of
from .schema import picture
from .types import OPEN_STATES, Claim, DecideEnding, ReserveStatus, RowFacts

RECOVERY_DAYS = 3.0
"""Older tasks and URLs are resumed only when a run or a person asks for the picture."""

_RESUMABLE = ("accepted", "answered")
CanResume = Callable[[str, str, str], bool]
"""(provider, profile, address) -> whether the key is here and the provider still at that address."""


class StalledRows:
    """Moves open rows that no call works on to their next state, within one write transaction.

    After the transaction has failed, call `undo_claims`.
    """

    def __init__(
        self,
        connection: Connection,
        ownership: Ownership,
        results: Results,
        decide: DecideEnding,
        can_resume: CanResume,
        now: float,
    ) -> None:
        self._connection, self._ownership, self._results = connection, ownership, results
        self._decide, self._can_resume, self._now = decide, can_resume, now
        self.claims: list[Claim] = []
        """The calls that this process resumes."""
        self._claimed_calls: set[str] = set()
        self.claimed_rows: list[Row[Any]] = []
        """The rows of `claims`, as they were before."""

    def resolve(self, row: Row[Any]) -> ReserveStatus:
        """Moves a stalled row on and gives the status of its picture. "reserved" = it can be reserved again."""
        data = self._results.read_incoming(row.uid)
        if data is not None:
            # The bytes came, and the process ended before it could mark the row.
            name = name_of(data)
            self._results.share(row.uid, name)
            mark_row_stored(self._connection, self._results, row, name, len(data), self._now, was_read=False)
            return "stored"
        is_order = queries.is_order(row)
        is_resumable = row.state in _RESUMABLE or (is_order and row.state == "sent")
        can_resume = is_resumable and self._can_resume(row.provider, row.profile, row.address)
        ending = self._decide(RowFacts(row.state, not row.expected, is_order=is_order, can_resume=can_resume))
        if ending.action == "keep":
            if can_resume:
                self._claim(row)
            return "claimed" if can_resume else "unresolved"
        reason = msg("claims.comfyui_ended_before_answer")
        queries.end_row(self._connection, row.uid, ending, reason, self._now)
        return "unresolved" if ending.state == "unknown" else "reserved"

    def _claim(self, row: Row[Any]) -> None:
        """Claims all pictures of a call that can be resumed for free."""
        if row.call in self._claimed_calls:
            return
        self._claimed_calls.add(row.call)
        states = ("sent",) if queries.is_order(row) else ()
        rows = self._connection.execute(
            select(picture)
            .where(picture.c.call == row.call, picture.c.state.in_((*_RESUMABLE, *states)))
            .order_by(picture.c.index_in_call)
        ).all()
        queries.update_rows(self._connection, [each.uid for each in rows], owner=self._ownership.id)
        self.claimed_rows += rows
        for each in rows:
            self._ownership.hold(each.fingerprint, HeldPicture(each.uid))
        exited = row.owner not in ("", self._ownership.id)
        count = len(queries.by_call(self._connection, row.call))
        self.claims.append(queries.claim_of(rows, owner_exited=exited, image_count=count))


def undo_claims(
    rows: Sequence[Row[Any]], owner: str, ownership: Ownership, backlog: Backlog, error: BaseException
) -> None:
    """Stops holding claimed pictures after the transaction has failed with `error`. `rows`: as they were before.

    Where the connection ended during the commit, the claims may be written: the rows would belong to this process (`owner`),
    which runs and doesn't work on them, and all others would wait for them. They are restored once the journal is there.
    """
    ownership.release({row.fingerprint: row.uid for row in rows})

    def write(connection: Connection) -> None:
        for row in rows:
            if ownership.find(row.uid) is None:  # not claimed again meanwhile
                queries.update_rows(connection, [row.uid], picture.c.owner == owner, owner="", state=row.state)

    if rows and isinstance(error, JournalAway):
        backlog.write(write)


class Claims:
    """Takes over calls that were paid: those of ended processes, and those whose kept answer is read again."""

    def __init__(
        self,
        database: Database,
        results: Results,
        answers: KeptAnswers,
        ownership: Ownership,
        decide_stalled: DecideEnding,
        clock: Callable[[], float],
        backlog: Backlog,
    ) -> None:
        self._database, self._results, self._answers, self._backlog = database, results, answers, backlog
        self._ownership, self._decide_stalled, self._clock = ownership, decide_stalled, clock

    def claim_stalled(self, can_resume: CanResume, *, any_age: bool = False) -> list[Claim]:
        """Moves on the rows that no call works on, and claims the calls that can be resumed for free.

        `any_age`: also rows that are older than `RECOVERY_DAYS`.
        """
        owner, now = self._ownership.id, self._clock()
        stalled: StalledRows | None = None
        only_here = self._store_found_here(can_resume)
        try:
            with self._database.write() as connection:
                others = or_(picture.c.owner != owner, picture.c.owner == "")
                rows = connection.execute(select(picture).where(picture.c.state.in_(OPEN_STATES), others)).all()
                stalled = StalledRows(connection, self._ownership, self._results, self._decide_stalled, can_resume, now)
                recent = [row for row in rows if any_age or row.created > now - RECOVERY_DAYS * 86400]
                for row in self._ownership.stalled(recent):
                    if row.uid not in only_here:
                        stalled.resolve(row)
        except BaseException as error:
            if stalled is not None:
                undo_claims(stalled.claimed_rows, owner, self._ownership, self._backlog, error)
            raise
        return stalled.claims

    def _store_found_here(self, can_resume: CanResume) -> set[str]:
        """Stores the pictures whose bytes only this machine has, once the bucket answers; gives their uids."""
        if self._results.store.incoming_is_shared:
            return set()
        self._results.store.resume()
        found = self._results.incoming_uids()
        for uid in found:
            if self._ownership.find(uid) is not None or self._results.is_waiting(uid):
                continue  # a call of this process works on it, or it waits since the last time
            data = self._results.read_incoming(uid)
            if data is not None:
                self._results.share_then(uid, name_of(data), partial(self._store_found, uid, can_resume))
        return set(found)

    def _store_found(self, uid: str, can_resume: CanResume) -> None:
        """Stores a picture whose bytes are shared now. Another machine may have taken it for lost meanwhile."""
        with self._database.write() as connection:
            stalled = StalledRows(
                connection, self._ownership, self._results, self._decide_stalled, can_resume, self._clock()
            )
            for row in queries.by_uids(connection, [uid]):
                is_stalled = row.state in OPEN_STATES and bool(self._ownership.stalled([row]))
                if row.fingerprint and (row.state == "unknown" or is_stalled):
                    stalled.resolve(row)
        with self._database.read() as connection:
            for row in queries.by_uids(connection, [uid]):
                if row.state == "stored":
                    self._results.finalize(uid, row.result)

    def claim_answer(self, uid: str) -> Claim | None:
        """Claims the missing pictures of the call whose kept answer is to be read again; None where there is none."""
        owner, claimed = self._ownership.id, list[Row[Any]]()
        try:
            with self._database.write() as connection:
                return self._claim_answer(connection, uid, owner, claimed)
        except BaseException as error:
            undo_claims(claimed, owner, self._ownership, self._backlog, error)
            raise

    def _claim_answer(self, connection: Connection, uid: str, owner: str, claimed: list[Row[Any]]) -> Claim | None:
        """`claimed` gets the rows of the claimed pictures."""
        found = queries.by_uids(connection, [uid])
        names = queries.answer_names(found[0]) if found else ()
        answer = next((answer for name in names if (answer := self._answers.read(name))), None)
        if answer is None:
            return None
        is_order = queries.is_order(found[0])
        rows = found if is_order else queries.by_call(connection, found[0].call)
        missing = [row for row in rows if row.state in ("unknown", "refused") and row.fingerprint]
        if not missing or any(self._ownership.holds(row.fingerprint) for row in missing):
            return None
        # What an order has made is asked for by its name, should this process end meanwhile.
        state = "accepted" if is_order and found[0].task else "sent"
        queries.update_rows(connection, [row.uid for row in missing], owner=owner, state=state)
        claimed += missing
        for row in missing:
            self._ownership.hold(row.fingerprint, HeldPicture(row.uid))
        unresolved = any(row.state == "unknown" for row in missing)
        claim = queries.claim_of(missing, owner_exited=False, image_count=len(rows), answer=answer)
        return replace(claim, unresolved=unresolved)
