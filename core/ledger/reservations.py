"""Reserving pictures before they are asked for: one transaction decides who sends what, within the spending caps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from ..config.caps import Caps
from ..errors import JournalAway, OverCap
from . import cap_check, queries
from .backlog import Backlog
from .claims import CanResume, StalledRows, undo_claims
from .database import Database
from .ownership import HeldPicture, Ownership
from .results import Results
from .schema import picture
from .types import OPEN_STATES, DecideEnding, Reservation, ReserveResult, ReserveStatus, RunContext

CONFIRM_SECONDS = 3600.0
"""How long the answer to "it may have been charged: queue again to pay again" holds."""


class Reservations:
    """Reserves pictures in one journal."""

    def __init__(
        self,
        database: Database,
        results: Results,
        ownership: Ownership,
        decide_stalled: DecideEnding,
        clock: Callable[[], float],
        backlog: Backlog,
    ) -> None:
        self._database, self._results, self._ownership, self._backlog = database, results, ownership, backlog
        self._decide_stalled, self._clock = decide_stalled, clock

    def reserve(
        self,
        reservations: Sequence[Reservation],
        run_context: RunContext,
        caps: Caps,
        *,
        resend: bool,
        can_resume: CanResume,
    ) -> ReserveResult:
        """See `Journal.reserve`."""
        self._backlog.flush()
        self._results.store.check()  # before the transaction, which all others wait for
        reserve_result = ReserveResult({})
        owner, now = self._ownership.id, self._clock()
        reserved: dict[str, str] = {}
        stalled: StalledRows | None = None
        try:
            with self._database.write() as connection:
                stalled = StalledRows(connection, self._ownership, self._results, self._decide_stalled, can_resume, now)
                decision = _Decision(
                    connection, self._ownership, self._results, stalled, reserve_result, run_context.run, resend, now
                )
                new = decision.take_new(reservations)
                if new:
                    # A drive that is no longer mounted leaves an empty folder: what was paid seems to be gone.
                    self._database.check_results()
                    self._results.check_free_space(len(new))
                    self._check_caps(connection, new, run_context, caps, now)
                    self._insert(connection, new, run_context, owner, now, reserved)
        except BaseException as error:
            self._ownership.release(reserved)
            if stalled is not None:
                undo_claims(stalled.claimed_rows, owner, self._ownership, self._backlog, error)
            if reserved and isinstance(error, JournalAway):
                self._take_back_uncertain(owner, list(reserved.values()))
            raise
        reserve_result.claims = stalled.claims
        return reserve_result

    def wait(self, groups: Sequence[Sequence[str]], seconds: float) -> bool:
        """See `Journal.wait`."""

        def busy_fingerprints() -> set[str]:
            with self._database.read() as connection:
                rows = queries.by_fingerprints(connection, [fingerprint for group in groups for fingerprint in group])
            return {
                row.fingerprint
                for row in rows
                if row.state in OPEN_STATES
                and (self._ownership.find(row.uid) is not None or not self._ownership.is_stalled(row))
            }

        return self._ownership.wait(groups, seconds, busy_fingerprints)

    def _check_caps(
        self,
        connection: Connection,
        new: Sequence[Reservation],
        run_context: RunContext,
        caps: Caps,
        now: float,
    ) -> None:
        """Raises OverCap. What ended workers of a farm had reserved and never sent is taken back first where it matters."""
        try:
            cap_check.check(connection, new, run_context, caps, now)
        except OverCap:
            if not self._database.is_shared or not self._take_back_unsent(connection):
                raise
            cap_check.check(connection, new, run_context, caps, now)

    def _take_back_unsent(self, connection: Connection) -> int:
        """Deletes the reservations of ended processes; gives how many there were."""
        # The index by owner has few rows: most pictures have none.
        open_rows = select(picture).where(picture.c.owner > "", picture.c.state == "reserved")
        stalled = self._ownership.stalled(connection.execute(open_rows).all())
        for row in stalled:
            connection.execute(delete(picture).where(picture.c.uid == row.uid))
        return len(stalled)

    def _take_back_uncertain(self, owner: str, reserved: Sequence[str]) -> None:
        """Deletes, once the journal is there, what was written where the connection ended during the commit.

        The rows would belong to this process, which runs and doesn't work on them: all others would wait for them.
        """

        def write(connection: Connection) -> None:
            own = picture.c.owner == owner
            connection.execute(delete(picture).where(picture.c.uid.in_(reserved), picture.c.state == "reserved", own))

        self._backlog.write(write)

    def _insert(
        self,
        connection: Connection,
        reservations: Sequence[Reservation],
        run_context: RunContext,
        owner: str,
        now: float,
        reserved: dict[str, str],
    ) -> None:
        """Writes a row for each; `reserved` gets fingerprint -> uid."""
        graph_id, graph = run_context.packed_graph
        queries.insert_graph(connection, graph_id, graph)
        rows: list[dict[str, Any]] = []
        for reservation in reservations:
            uid = reserved[reservation.fingerprint] = uuid.uuid4().hex
            row = {
                "uid": uid,
                "fingerprint": reservation.fingerprint,
                "state": "reserved",
                "owner": owner,
                "run": run_context.run,
                "node": run_context.node,
                "project": run_context.project,
                "operation": reservation.operation,
                "provider": reservation.provider,
                "model": reservation.model,
                "profile": reservation.profile,
                "address": reservation.address,
                "prompt": reservation.prompt,
                "expected": reservation.micros,
                "counted": reservation.micros,
                "delivery": reservation.delivery if reservation.delivery != "now" else "",
                "created": now,
                "graph": graph_id,
            }
            rows.append(row)
            self._ownership.hold(reservation.fingerprint, HeldPicture(uid, reserved_row=row))
        connection.execute(insert(picture), rows)


class _Decision:
    """Decides the status of each picture of one `reserve`, within its transaction."""

    def __init__(
        self,
        connection: Connection,
        ownership: Ownership,
        results: Results,
        stalled: StalledRows,
        reserve_result: ReserveResult,
        run: str,
        resend: bool,
        now: float,
    ) -> None:
        self._connection, self._ownership, self._results = connection, ownership, results
        self._stalled, self._result = stalled, reserve_result
        self._run, self._resend, self._now = run, resend, now

    def take_new(self, reservations: Sequence[Reservation]) -> list[Reservation]:
        """Writes the status of each picture into the result; gives those that are to be reserved, each once."""
        rows_of: dict[str, list[Row[Any]]] = {}
        fingerprints = [each for reservation in reservations for each in reservation.all_fingerprints]
        for row in queries.by_fingerprints(self._connection, fingerprints):
            rows_of.setdefault(row.fingerprint, []).append(row)
        new: list[Reservation] = []
        statuses = self._result.statuses
        for reservation in reservations:
            if reservation.fingerprint in statuses:
                continue
            alternatives = dict.fromkeys(reservation.all_fingerprints)
            rows = [row for each in alternatives for row in rows_of.get(each, ())]
            statuses[reservation.fingerprint] = status = self._status(reservation, rows)
            if status == "reserved":
                new.append(reservation)
        return new

    def _status(self, reservation: Reservation, rows: Sequence[Row[Any]]) -> ReserveStatus:
        """The status of a picture, given the rows under all its fingerprints."""
        if any(row.state == "stored" and self._results.has(row.result, row.uid) for row in rows):
            return "stored"
        open_rows = [row for row in rows if row.state in OPEN_STATES]
        for row in open_rows:
            if queries.is_order(row) and row.state != "reserved" and not self._ownership.is_stalled(row):
                return self._ordered(reservation, row)
        if not all(self._ownership.is_stalled(row) for row in open_rows):
            return "busy"
        unresolved = [row for row in rows if row.state == "unknown" and not row.acknowledged]
        for row in open_rows:
            status = self._stalled.resolve(row)
            if status == "claimed" and queries.is_order(row):
                return self._ordered(reservation, row)
            if status in ("stored", "claimed"):
                return status
            if status == "unresolved":
                unresolved.append(row)
        return self._confirm(reservation, unresolved) if unresolved else "reserved"

    def _ordered(self, reservation: Reservation, row: Row[Any]) -> ReserveStatus:
        """The status of a picture that a process, or now this one, waits for."""
        self._result.orders[reservation.fingerprint] = row.call
        return "ordered"

    def _confirm(self, reservation: Reservation, rows: Sequence[Row[Any]]) -> ReserveStatus:
        """Whether the user has been told of these charges and asks again: then it is sent, else the user is asked."""
        confirmed = all(self._is_confirmed(row) for row in rows)
        charges = [queries.unresolved_charge(row) for row in rows]
        if confirmed or self._resend:
            uids = [row.uid for row in rows]
            queries.update_rows(self._connection, uids, state="unknown", owner="", acknowledged=self._now)
            self._result.acknowledged[reservation.fingerprint] = charges
            return "reserved"
        self._result.unresolved[reservation.fingerprint] = charges
        return "unresolved"

    def _is_confirmed(self, row: Row[Any]) -> bool:
        """Whether the user has said within the hour that this run may send it again."""
        if row.agreed_run not in ("", self._run):
            return False  # the run that was agreed to may never come: it may have been deleted from the queue
        recent = abs(self._now - row.notified) <= CONFIRM_SECONDS
        return bool(row.notified) and row.notified_run != self._run and recent
