"""Takes over paid calls that no process works on, so that their pictures are fetched without paying again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from ..errors.messages import msg
from . import queries
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

    After the transaction has failed, call `release`.
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
        self._uids: dict[str, str] = {}
        """Fingerprint -> uid of the pictures of `claims`."""

    def resolve(self, row: Row[Any]) -> ReserveStatus:
        """Moves a stalled row on and gives the status of its picture. "reserved" = it can be reserved again."""
        data = self._results.read_incoming(row.uid)
        if data is not None:
            # The bytes came, and the process ended before it could mark the row.
            mark_row_stored(self._connection, self._results, row, name_of(data), len(data), self._now, was_read=False)
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

    @property
    def uids(self) -> list[str]:
        """The rows that this process has claimed."""
        return list(self._uids.values())

    def release(self) -> None:
        """Stops holding the claimed pictures."""
        self._ownership.release(self._uids)

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
        for each in rows:
            self._uids[each.fingerprint] = each.uid
            self._ownership.hold(each.fingerprint, HeldPicture(each.uid))
        exited = row.owner not in ("", self._ownership.id)
        count = len(queries.by_call(self._connection, row.call))
        self.claims.append(queries.claim_of(rows, owner_exited=exited, image_count=count))


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
    ) -> None:
        self._database, self._results, self._answers = database, results, answers
        self._ownership, self._decide_stalled, self._clock = ownership, decide_stalled, clock

    def claim_stalled(self, can_resume: CanResume, *, any_age: bool = False) -> list[Claim]:
        """Moves on the rows that no call works on, and claims the calls that can be resumed for free.

        `any_age`: also rows that are older than `RECOVERY_DAYS`.
        """
        owner, now = self._ownership.id, self._clock()
        stalled: StalledRows | None = None
        try:
            with self._database.write() as connection:
                others = or_(picture.c.owner != owner, picture.c.owner == "")
                rows = connection.execute(select(picture).where(picture.c.state.in_(OPEN_STATES), others)).all()
                stalled = StalledRows(connection, self._ownership, self._results, self._decide_stalled, can_resume, now)
                recent = [row for row in rows if any_age or row.created > now - RECOVERY_DAYS * 86400]
                for row in self._ownership.stalled(recent):
                    stalled.resolve(row)
        except BaseException:
            if stalled is not None:
                stalled.release()
            raise
        return stalled.claims

    def claim_answer(self, uid: str) -> Claim | None:
        """Claims the missing pictures of the call whose kept answer is to be read again; None where there is none."""
        uids: dict[str, str] = {}
        try:
            with self._database.write() as connection:
                return self._claim_answer(connection, uid, uids)
        except BaseException:
            self._ownership.release(uids)
            raise

    def _claim_answer(self, connection: Connection, uid: str, uids: dict[str, str]) -> Claim | None:
        """`uids` gets fingerprint -> uid of the claimed pictures."""
        found = queries.by_uids(connection, [uid])
        answer = self._answers.read(found[0].call) if found else None
        if answer is None:
            return None
        rows = queries.by_call(connection, found[0].call)
        missing = [row for row in rows if row.state in ("unknown", "refused") and row.fingerprint]
        if not missing or any(self._ownership.holds(row.fingerprint) for row in missing):
            return None
        queries.update_rows(connection, [row.uid for row in missing], owner=self._ownership.id, state="sent")
        for row in missing:
            uids[row.fingerprint] = row.uid
            self._ownership.hold(row.fingerprint, HeldPicture(row.uid))
        unresolved = any(row.state == "unknown" for row in missing)
        claim = queries.claim_of(missing, owner_exited=False, image_count=len(rows), answer=answer)
        return replace(claim, unresolved=unresolved)
