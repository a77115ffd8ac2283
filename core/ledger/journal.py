"""The journal: every paid picture is written here before it is asked for, and at every step after that.

One instance per process; used from many threads, and by many processes on one folder. Its reads and its lists are in
`history`, its caps in `caps`, the bytes in `results`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from ..errors import Charged
from . import caps as capping
from . import eviction, queries, sidecar
from .database import Database
from .kept_answers import KeptAnswer, KeptAnswers
from .liveness import LivenessLock
from .rebuild import rebuild
from .results import Results, name_of
from .schema import picture, result
from .types import (
    OPEN_STATES,
    Caps,
    Claim,
    Reservation,
    ReserveResult,
    ReserveStatus,
    RunContext,
    StoredImage,
    ledger_failed,
    micros,
)

log = logging.getLogger("nano_banana")

CONFIRM_SECONDS = 3600.0
"""How long the answer to "it may have been paid: queue again to pay again" holds."""
RECOVERY_DAYS = 3.0
"""Older tasks and addresses aren't looked after by themselves any more, only when somebody asks for the picture."""
_FOREIGN_LOOK = 0.25
"""Seconds between two looks at what another process is doing."""

CanResume = Callable[[str, str, str], bool]
"""(provider, profile, address) -> whether the key is here and the provider still at that address."""


class Journal:
    """The ledger of one data folder. Every method may raise LedgerFailed."""

    def __init__(
        self,
        home: Path,
        results: Path | None = None,
        *,
        results_bytes: int = eviction.DEFAULT_LIMIT_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home = home
        self.results = Results(results or home / "results")
        self.answers = KeptAnswers(self.results.folder / "unreadable")
        self.database = Database(home / "journal.sqlite", partial(rebuild, self.results))
        self.eviction = eviction.Eviction(self.database, self.results, results_bytes, clock)
        self._clock = clock
        self._owner: LivenessLock | None = None
        self._starting = threading.Lock()
        self._changed = threading.Condition()
        self._mine: dict[str, str] = {}
        """Fingerprint -> uid of the rows that a call of this process is on. Changed inside write transactions only, so
        that a row of ours that is not in here belongs to nobody."""
        self._reserved: dict[str, dict[str, Any]] = {}
        """Uid -> the row as it was reserved, while it is open."""
        self._brought: dict[str, tuple[str, int]] = {}
        """Uid -> name and size of its bytes, from when they are on disk until it is settled."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written into this folder. Looks at the disk only."""
        try:
            return not self.database.file.exists() and not self.results.folder.exists()
        except OSError:  # nobody can say; whoever reads it is told why
            return False

    def close(self) -> None:
        """Ends as the process does: what is open is anybody's."""
        self.database.close()
        if self._owner is not None:
            self._owner.release()

    # ------------------------------------------------------------------------------------------------ asking

    def look_up(self, names: Sequence[str]) -> dict[str, StoredImage]:
        """The pictures that are here, by fingerprint."""
        if not names or self.is_empty:
            return {}
        with self.database.read() as connection:
            found = [row for row in queries.by_fingerprints(connection, names) if row.state == "stored"]
        return {row.fingerprint: self._kept(row) for row in found if self.results.has(row.result, row.uid)}

    def mark_used(self, uids: Sequence[str]) -> None:
        """These pictures have reached a graph."""
        now = self._clock()
        with self.database.write() as connection:
            names = [row.result for row in queries.by_uids(connection, uids) if row.result]
            connection.execute(update(result).where(result.c.name.in_(names)).values(used=now, read=now))

    def mark_damaged(self, uid: str, reason: str) -> None:
        """The stored bytes turned out to be damaged: they are fetched again where that is free, else asked about."""
        with self.database.write() as connection:
            for row in queries.by_uids(connection, [uid]):
                state = "answered" if row.url else "accepted" if row.task else "unknown"
                queries.mark(connection, [uid], state=state, reason=reason, result="", told=0.0, waived=0.0)

    def reserve(
        self,
        entries: Sequence[Reservation],
        run_context: RunContext,
        caps: Caps,
        *,
        resend: bool = False,
        can_resume: CanResume = lambda provider, profile, address: False,
    ) -> ReserveResult:
        """Claims each picture before it is asked for, in one transaction with all the others, and says how each stands.

        mine      reserved for us: send it, or `closed`
        busy      another call is on it: `wait`, then open again
        kept      it is here: `look_up`
        claimed   a call that nobody waits for any more has it: go on with it, see `claims`
        doubtful  it may have been paid: show `doubts`; when it is opened again within the hour it is "reserved"

        A fingerprint that is given twice is claimed once. Raises OverCap and LedgerFailed with nothing reserved.
        """
        opening = ReserveResult({})
        owner, now = self._own_liveness(), self._clock()
        taken: dict[str, str] = {}
        try:
            with self.database.write() as connection:
                desk = _Desk(self, connection, owner, opening, run_context.run, resend, can_resume, now, taken)
                known: dict[str, list[Row[Any]]] = {}
                for row in queries.by_fingerprints(
                    connection, [name for entry in entries for name in entry.all_fingerprints]
                ):
                    known.setdefault(row.fingerprint, []).append(row)
                fresh: list[Reservation] = []
                for entry in entries:
                    if entry.fingerprint not in opening.statuses:
                        about = [row for name in dict.fromkeys(entry.all_fingerprints) for row in known.get(name, ())]
                        opening.statuses[entry.fingerprint] = desk.standing(entry, about)
                        if opening.statuses[entry.fingerprint] == "reserved":
                            fresh.append(entry)
                if fresh:
                    self.results.check_free_space(len(fresh))
                    capping.check(connection, fresh, run_context, caps, now)
                    self._reserve(connection, fresh, run_context, owner, now, taken)
        except BaseException:
            self._drop(taken)
            raise
        return opening

    def wait(self, names: Sequence[Sequence[str]], seconds: float) -> bool:
        """Waits until one of the pictures, each given by all its names, is no longer busy; False when the time is over."""
        with self._changed:
            ours = [next((name for name in group if name in self._mine), None) for group in names]
            if all(ours):
                return self._changed.wait_for(lambda: any(name not in self._mine for name in ours), seconds)
            if self._changed.wait(max(seconds, _FOREIGN_LOOK)):
                return True
        owner = self._own_liveness()
        with self.database.read() as connection:
            found = queries.by_fingerprints(connection, [name for group in names for name in group])
        busy = {
            row.fingerprint
            for row in found
            if row.state in OPEN_STATES and (row.uid in self._mine.values() or not self._is_stalled(row, owner))
        }
        return any(not busy.intersection(group) for group in names)

    # ------------------------------------------------------------------------------------------------ the way of a call

    def mark_sent(self, fingerprints: Sequence[str], call: str) -> None:
        """The paid request for these pictures is about to leave. When this raises, it must not."""
        owner, now = self._own_liveness(), self._clock()
        with self.database.write() as connection:
            for place, name in enumerate(fingerprints):
                changed = connection.execute(
                    update(picture)
                    .where(
                        picture.c.uid == self._mine.get(name, ""),
                        picture.c.owner == owner.id,
                        picture.c.state.in_(("reserved", "sent")),
                    )
                    .values(state="sent", call=call, place=place, sent=now, attempts=picture.c.attempts + 1)
                )
                if changed.rowcount != 1:
                    raise ledger_failed(
                        "The journal no longer holds the reservation for this picture, so it was not sent"
                    )

    def mark_retryable(self, fingerprints: Sequence[str]) -> None:
        """It surely never arrived, or was surely refused before work began; it will be tried again."""
        with self.database.write() as connection:
            queries.mark(connection, self._uids(fingerprints), state="reserved")

    def mark_accepted(self, fingerprints: Sequence[str], task: dict[str, Any]) -> None:
        """The provider has taken the task; `task` finds it again."""
        with self.database.write() as connection:
            self._advance(connection, fingerprints, state="accepted", task=json.dumps(task))

    def mark_answered(self, urls: dict[str, str], text: str, usd: float | None, request_id: str) -> None:
        """The pictures are made and wait at these addresses, given by fingerprint; `usd` is the price of one."""
        with self.database.write() as connection:
            for name, url in urls.items():
                facts = {"state": "answered", "url": url, "text": text, "request_id": request_id, **_cost(usd)}
                self._advance(connection, [name], **facts)

    def write_incoming(self, fingerprint: str, data: bytes) -> None:
        """Puts the provider's bytes on disk, before anybody looks into them: after a crash they are found by the row."""
        uid = self._mine[fingerprint]
        try:
            self._brought[uid] = (self.results.write_incoming(uid, data), len(data))
        except OSError as error:
            raise ledger_failed(
                f"The folder {self.results.folder} can't be written: {error.strerror or error}"
            ) from None

    def file_name(self, fingerprint: str) -> str:
        """The name that the bytes which were brought in have, or will have, in the results folder."""
        return self._brought[self._mine[fingerprint]][0]

    def reader(self, fingerprint: str) -> Callable[[], bytes]:
        """What reads the bytes that were brought in from disk, now and after they are stored."""
        uid = self._mine[fingerprint]
        return partial(self.results.read, self._brought[uid][0], uid)

    def mark_stored(
        self,
        fingerprint: str,
        text: str,
        usd: float | None,
        request_id: str = "",
        *,
        notices: Sequence[str] = (),
        read: bool = True,
    ) -> None:
        """The bytes that were brought in are a picture.

        `usd`: what the provider says it cost. `notices`: what is told whenever it is taken. `read`: whether a run is still
        there to take it.
        """
        uid = self._mine[fingerprint]
        name, size = self._brought[uid]
        with self.database.write() as connection:
            self._advance(connection, [fingerprint], owner="")
            row = queries.by_uids(connection, [uid])[0]
            self._store(
                connection,
                row,
                name,
                size,
                self._clock(),
                text=text,
                request_id=request_id,
                read=read,
                notices=json.dumps(list(notices)) if notices else "",
                **_cost(usd),
            )
            self._drop({fingerprint: uid})
        self._finalize_file(uid, name)
        self._notify_waiters()
        self.eviction.add(size)

    def store_extra(self, fingerprint: str, data: bytes, text: str) -> None:
        """Stores a picture that came beside the one with this fingerprint: free, and the answer to no request."""
        uid = uuid.uuid4().hex
        try:
            name = self.results.write_incoming(uid, data)
            with self.database.write() as connection:
                row = queries.by_fingerprints(connection, [fingerprint])[-1]
                values = dict(row._mapping) | {
                    "uid": uid,
                    "fingerprint": f"{fingerprint}+{uid}",
                    "role": "extra",
                    "owner": "",
                    "expected": 0,
                    "counted": 0,
                    "charged": 0,
                    "notices": "",
                    "reason": "",
                }
                connection.execute(insert(picture), [values])
                extra = queries.by_uids(connection, [uid])[0]
                self._store(connection, extra, name, len(data), self._clock(), text=text, request_id="", read=True)
        except OSError as error:
            raise ledger_failed(f"An extra picture could not be written: {error.strerror or error}") from None
        self._finalize_file(uid, name)
        self.eviction.add(len(data))

    def keep_answer(
        self, call: str, answer: KeptAnswer, cleaned: Callable[[bytes], Iterable[bytes]] = lambda body: (body,)
    ) -> Path | None:
        """Keeps an answer in which no picture could be read; gives where, None when it can't be written.

        `cleaned` takes the secrets out of its body.
        """
        try:
            return self.answers.write(call, answer, cleaned)
        except OSError as error:
            log.warning("an answer could not be kept: %s", error)
            return None

    def claim_answer(self, uid: str) -> Claim | None:
        """Claims the pictures of a call whose kept answer is to be read again; None where there is nothing to read."""
        owner = self._own_liveness()
        with self.database.write() as connection:
            found = queries.by_uids(connection, [uid])
            answer = self.answers.read(found[0].call) if found else None
            if answer is None:
                return None
            together = queries.by_call(connection, found[0].call)
            missing = [row for row in together if row.state in ("unknown", "refused") and row.fingerprint]
            if not missing or any(row.fingerprint in self._mine for row in missing):
                return None
            queries.mark(connection, [row.uid for row in missing], owner=owner.id, state="sent")
            self._mine.update({row.fingerprint: row.uid for row in missing})
            doubtful = any(row.state == "unknown" for row in missing)
            return replace(queries.claim(missing, dead=False, total=len(together), answer=answer), unresolved=doubtful)

    def keep_unreadable(self, fingerprint: str, data: bytes) -> Path | None:
        """Keeps bytes that are no picture, where they can be looked at; None when that isn't possible either."""
        try:
            return self.results.keep_unreadable(self._mine[fingerprint], data)
        except OSError:
            return None

    def mark_failed(
        self,
        fingerprints: Sequence[str],
        charged: Charged,
        reason: str,
        *,
        unresolved: bool = False,
        resumable: bool = False,
    ) -> dict[str, str]:
        """It ended without a picture. Gives fingerprint -> uid of the rows that say so; what never left has none.

        `unresolved`: the provider may have made it and can't return it, so the user is asked before it is paid again.
        `resumable`: its task or its address can still be asked, which is free. Finished pictures are left alone.
        """
        ended = {name: self._mine[name] for name in fingerprints if name in self._mine}
        if not ended:
            return {}
        now = self._clock()
        try:
            with self.database.write() as connection:
                there = queries.by_uids(connection, list(ended.values()))
                for row in there:
                    self._close(connection, row, charged, reason, unresolved, resumable, now)
                self._drop(ended)
        finally:
            # Whatever the disk says, nobody is on it any more: what could not be written is judged by what is there.
            self._drop(ended)
            self._notify_waiters()
        return {row.fingerprint: row.uid for row in there if row.state != "reserved"}

    def mark_notified(self, uids: Sequence[str], run: str) -> None:
        """The user has been told that these may have been paid: asking for them again within the hour is the answer."""
        with self.database.write() as connection:
            queries.mark(connection, uids, told=self._clock(), told_run=run)

    # ------------------------------------------------------------------------------------------------ collecting

    def claim_stalled(self, can_resume: CanResume, *, however_old: bool = False) -> list[Claim]:
        """Settles what dead processes left behind, and claims the calls of theirs that can be gone on with for nothing."""
        if self.is_empty:
            return []
        opening = ReserveResult({})
        owner, now = self._own_liveness(), self._clock()
        with self.database.write() as connection:
            open_rows = connection.execute(
                select(picture).where(
                    picture.c.state.in_(OPEN_STATES), or_(picture.c.owner != owner.id, picture.c.owner == "")
                )
            ).all()
            desk = _Desk(self, connection, owner, opening, "", False, can_resume, now, {})
            for row in open_rows:
                young = however_old or row.created > now - RECOVERY_DAYS * 86400
                if young and self._is_stalled(row, owner):
                    desk.take_over(row)
        return opening.claims

    def is_stalled(self, row: Row[Any]) -> bool:
        """Whether nobody is on an open row."""
        return self._is_stalled(row, self._own_liveness())

    # ------------------------------------------------------------------------------------------------ inside

    def _own_liveness(self) -> LivenessLock:
        with self._starting:
            if self._owner is None:
                try:
                    self._owner = LivenessLock(self.home / "owners")
                except (OSError, TimeoutError) as error:
                    why = getattr(error, "strerror", None) or error
                    raise ledger_failed(
                        f"The pack's data folder {self.home} can't be written ({why}), and a paid request is written down "
                        "before it leaves"
                    ) from None
            return self._owner

    def _is_stalled(self, row: Row[Any], owner: LivenessLock) -> bool:
        """Whether nobody is on an open row."""
        if row.owner == owner.id:
            return row.uid not in self._mine.values()
        return owner.has_exited(row.owner)

    def _uids(self, fingerprints: Sequence[str]) -> list[str]:
        return [self._mine[name] for name in fingerprints if name in self._mine]

    def _advance(self, connection: Connection, fingerprints: Sequence[str], **values: Any) -> None:
        """Marks rows of ours that must be there. Where the file was replaced under way, they are written again."""
        uids = self._uids(fingerprints)
        if queries.mark(connection, uids, **values) == len(uids):
            return
        there = {row.uid for row in queries.by_uids(connection, uids)}
        for uid in uids:
            if uid not in there and uid in self._reserved:
                connection.execute(insert(picture), [{**self._reserved[uid], "state": "sent", "sent": self._clock()}])
        if queries.mark(connection, uids, **values) != len(uids):
            raise ledger_failed("The journal no longer knows this picture")

    def _kept(self, row: Row[Any]) -> StoredImage:
        return StoredImage(
            row.uid,
            row.fingerprint,
            row.provider,
            row.model,
            row.text,
            queries.stored_notices(row),
            partial(self.results.read, row.result, row.uid),
            row.result,
        )

    def _reserve(
        self,
        connection: Connection,
        entries: Sequence[Reservation],
        run_context: RunContext,
        owner: LivenessLock,
        now: float,
        taken: dict[str, str],
    ) -> None:
        queries.insert_graph(connection, *run_context.packed_graph)
        values: list[dict[str, Any]] = []
        for entry in entries:
            uid = self._mine[entry.fingerprint] = taken[entry.fingerprint] = uuid.uuid4().hex
            values.append(
                {
                    "uid": uid,
                    "fingerprint": entry.fingerprint,
                    "state": "reserved",
                    "owner": owner.id,
                    "run": run_context.run,
                    "node": run_context.node,
                    "project": run_context.project,
                    "operation": entry.operation,
                    "provider": entry.provider,
                    "model": entry.model,
                    "profile": entry.profile,
                    "address": entry.address,
                    "prompt": entry.prompt,
                    "expected": entry.micros,
                    "counted": entry.micros,
                    "created": now,
                    "graph": run_context.packed_graph[0],
                }
            )
        connection.execute(insert(picture), values)
        self._reserved.update({str(value["uid"]): value for value in values})

    def _store(
        self,
        connection: Connection,
        row: Row[Any],
        name: str,
        size: int,
        now: float,
        *,
        text: str,
        request_id: str,
        read: bool,
        notices: str = "",
        **cost: int,
    ) -> None:
        """Marks a row as stored, with its bytes brought in, and writes the sidecar before the commit."""
        facts = {"state": "stored", "owner": "", "result": name, "ended": now, "text": text or row.text, **cost}
        facts["request_id"] = request_id or row.request_id
        if notices:
            facts["notices"] = notices
        queries.mark(connection, [row.uid], **facts)
        seen = now if read else 0.0
        if connection.execute(select(result.c.name).where(result.c.name == name)).first() is None:
            form = name.rpartition(".")[2]
            connection.execute(
                insert(result).values(name=name, bytes=size, format=form, created=now, used=now, read=seen)
            )
        elif read:
            connection.execute(update(result).where(result.c.name == name).values(used=now, read=now))
        try:
            self.results.write_sidecar(name, *sidecar.facts(connection, queries.by_uids(connection, [row.uid])[0]))
        except OSError as error:
            log.warning("the sidecar of %s could not be written: %s", name, error)

    def _finalize_file(self, uid: str, name: str) -> None:
        try:
            self.results.finalize(uid, name)
        except OSError as error:  # it is found where it is
            log.warning("%s stays in the incoming folder: %s", name, error)

    def _close(
        self,
        connection: Connection,
        row: Row[Any],
        charged: Charged,
        reason: str,
        unresolved: bool,
        resumable: bool,
        now: float,
    ) -> None:
        if row.state not in OPEN_STATES:
            return
        if row.state == "reserved":
            connection.execute(delete(picture).where(picture.c.uid == row.uid))
        elif (resumable and row.state in ("accepted", "answered")) or (
            charged != "no" and self.results.has_incoming(row.uid)
        ):
            queries.mark(connection, [row.uid], owner="", reason=reason)
        elif charged == "no":
            queries.mark(connection, [row.uid], state="refused", owner="", counted=0, reason=reason, ended=now)
        else:
            # What is free can't have been paid: nobody is asked about it.
            state = "unknown" if (unresolved or resumable) and row.expected else "refused"
            queries.mark(connection, [row.uid], state=state, owner="", reason=reason, ended=now)

    def _drop(self, ours: Mapping[str, str]) -> None:
        """Nobody is on these any more, fingerprint -> uid. Who has reserved one of them anew meanwhile keeps it."""
        for name, uid in ours.items():
            if self._mine.get(name) == uid:
                del self._mine[name]
            self._reserved.pop(uid, None)
            self._brought.pop(uid, None)

    def _notify_waiters(self) -> None:
        with self._changed:
            self._changed.notify_all()


class _Desk:
    """Looks at what is known of pictures that somebody asks for, within one transaction."""

    def __init__(
        self,
        journal: Journal,
        connection: Connection,
        owner: LivenessLock,
        opening: ReserveResult,
        run: str,
        resend: bool,
        can_resume: CanResume,
        now: float,
        taken: dict[str, str],
    ) -> None:
        self._journal, self._connection, self._owner, self._opening = journal, connection, owner, opening
        self._run, self._resend, self._can_resume, self._now = run, resend, can_resume, now
        self._claimed: set[str] = set()
        self._taken = taken
        """Fingerprint -> uid of what this transaction has made ours."""

    def standing(self, entry: Reservation, about: Sequence[Row[Any]]) -> ReserveStatus:
        """How a picture stands, given all rows under any of its names."""
        journal = self._journal
        if any(row.state == "stored" and journal.results.has(row.result, row.uid) for row in about):
            return "stored"
        for row in about:
            if row.state in OPEN_STATES and not journal._is_stalled(row, self._owner):
                return "busy"
        doubtful = [row for row in about if row.state == "unknown" and not row.waived]
        for row in about:
            if row.state in OPEN_STATES:
                became = self.take_over(row)
                if became in ("stored", "claimed"):
                    return became
                if became == "unresolved":
                    doubtful.append(row)
        return self._doubts(entry, doubtful) if doubtful else "reserved"

    def take_over(self, row: Row[Any]) -> ReserveStatus:
        """What becomes of an open row that nobody is on. "reserved" = it is no longer in the way."""
        journal, connection = self._journal, self._connection
        data = journal.results.read_incoming(row.uid)
        if data is not None:
            # Its bytes came, and the process died before it could say so.
            name = name_of(data)
            journal._store(connection, row, name, len(data), self._now, text="", request_id="", read=False)
            return "stored"
        if row.state == "reserved":
            connection.execute(delete(picture).where(picture.c.uid == row.uid))
            return "reserved"
        if row.state in ("accepted", "answered") and self._can_resume(row.provider, row.profile, row.address):
            self._claim(row)
            return "claimed"
        if not row.expected:
            queries.mark(
                connection, [row.uid], state="refused", owner="", counted=0, reason="ComfyUI ended", ended=self._now
            )
            return "reserved"
        if row.state == "sent":
            reason = "ComfyUI ended while the answer was on its way"
            queries.mark(connection, [row.uid], state="unknown", owner="", reason=reason, ended=self._now)
        return "unresolved"

    def _claim(self, row: Row[Any]) -> None:
        if row.call in self._claimed:
            return
        self._claimed.add(row.call)
        together = self._connection.execute(
            select(picture)
            .where(picture.c.call == row.call, picture.c.state.in_(("accepted", "answered")))
            .order_by(picture.c.place)
        ).all()
        queries.mark(self._connection, [other.uid for other in together], owner=self._owner.id)
        self._taken.update({other.fingerprint: other.uid for other in together})
        self._journal._mine.update(self._taken)
        dead = row.owner not in ("", self._owner.id)
        asked_for = len(queries.by_call(self._connection, row.call))
        self._opening.claims.append(queries.claim(together, dead=dead, total=asked_for))

    def _doubts(self, entry: Reservation, doubtful: Sequence[Row[Any]]) -> ReserveStatus:
        uids = [row.uid for row in doubtful]
        told = all(
            row.told and row.told_run != self._run and abs(self._now - row.told) <= CONFIRM_SECONDS for row in doubtful
        )
        found = [queries.doubt(row) for row in doubtful]
        if told or self._resend:
            queries.mark(self._connection, uids, state="unknown", owner="", waived=self._now)
            self._opening.acknowledged[entry.fingerprint] = found
            return "reserved"
        self._opening.unresolved[entry.fingerprint] = found
        return "unresolved"


def _cost(usd: float | None) -> dict[str, int]:
    """What is written about a price that the provider has named."""
    return {} if usd is None else {"charged": micros(usd), "counted": micros(usd)}
