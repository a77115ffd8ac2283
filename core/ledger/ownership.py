"""Which pictures the calls of this process work on, and whether a picture of another process is still worked on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from .database import Database, Liveness


@dataclass
class HeldPicture:
    """A picture that a call of this process works on."""

    uid: str
    reserved_row: Mapping[str, Any] | None = None
    """The row as it was reserved, so that it can be written again where the file is replaced; None for a claimed one."""
    file: str = ""
    """The name of its bytes in the results folder, once they are on disk."""
    size: int = 0
    """The length of its bytes."""


class Ownership:
    """The pictures that this process holds, by fingerprint. Usable from any thread.

    `hold` is called inside write transactions only, so that no call works on a row of this process that is not held.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._starting = threading.Lock()
        self._liveness: Liveness | None = None
        self._changed = threading.Condition()
        self._changes = 0
        """How often waiters were woken."""
        self._awaited: Counter[str] = Counter()
        """Fingerprints that runs of this process wait for while another one may work on them."""
        self._uids: dict[str, str] = {}
        """Fingerprint -> uid."""
        self._held: dict[str, HeldPicture] = {}
        """Uid -> what is known of the picture."""

    @property
    def id(self) -> str:
        """The id of this process in the journal. Raises LedgerFailed, also where other processes can't see that it runs."""
        liveness = self._own_liveness()
        liveness.require()
        return liveness.id

    def is_seen(self, connection: Connection) -> bool:
        """Whether the other processes see, at a transaction, that this one runs; if not, `id` waits until they do again."""
        return self._own_liveness().is_seen(connection)

    def hold(self, fingerprint: str, held: HeldPicture) -> None:
        """Notes that a call of this process works on a picture."""
        earlier = self._uids.get(fingerprint)
        self._held[held.uid] = held
        self._uids[fingerprint] = held.uid
        if earlier is not None and earlier != held.uid:
            self._held.pop(earlier, None)

    def release(self, uids: Mapping[str, str]) -> None:
        """Stops holding pictures, given as fingerprint -> uid. A fingerprint that was reserved again stays held."""
        for fingerprint, uid in uids.items():
            if self._uids.get(fingerprint) == uid:
                del self._uids[fingerprint]
            self._held.pop(uid, None)

    def held(self, fingerprint: str) -> HeldPicture:
        """Raises KeyError where this process does not hold the picture."""
        return self._held[self._uids[fingerprint]]

    def holds(self, fingerprint: str) -> bool:
        return fingerprint in self._uids

    def find(self, uid: str) -> HeldPicture | None:
        return self._held.get(uid)

    def uid_of(self, fingerprint: str) -> str:
        """The uid of a held picture, "" where it is not held."""
        return self._uids.get(fingerprint, "")

    def uids_of(self, fingerprints: Iterable[str]) -> dict[str, str]:
        """Fingerprint -> uid of those that are held."""
        return {each: self._uids[each] for each in fingerprints if each in self._uids}

    def is_stalled(self, row: Row[Any]) -> bool:
        """Whether no call works on an open row: its process has ended, or it is this one and does not hold it."""
        liveness = self._own_liveness()
        if row.owner == liveness.id:
            return row.uid not in self._held
        return liveness.has_exited(row.owner)

    def stalled(self, rows: Iterable[Row[Any]]) -> list[Row[Any]]:
        """Those of open rows that no call works on; each other process is checked once."""
        ended: dict[str, bool] = {}
        found = []
        for row in rows:
            is_own = row.owner == self._own_liveness().id
            if not is_own and row.owner not in ended:
                ended[row.owner] = self.is_stalled(row)
            if self.is_stalled(row) if is_own else ended[row.owner]:
                found.append(row)
        return found

    def wait(self, groups: Sequence[Sequence[str]], seconds: float, busy_fingerprints: Callable[[], set[str]]) -> bool:
        """Waits until one of the pictures is no longer worked on; False after `seconds`.

        Each picture is given by all fingerprints it may have. `busy_fingerprints` reads from the journal
        which of them any process works on; it is called where another process may hold one of the pictures.
        """
        pause = self._database.foreign_wait_seconds
        with self._changed:
            own = [next((each for each in group if each in self._uids), None) for group in groups]
            if all(own):
                return self._changed.wait_for(lambda: any(each not in self._uids for each in own), seconds)
            if not self._database.is_shared and self._changed.wait(max(seconds, pause)):
                return True
            changes = self._changes
            self._awaited.update(each for group in groups for each in group)
        try:
            busy = busy_fingerprints()
            if self._database.is_shared and all(busy.intersection(group) for group in groups):
                with self._changed:
                    if not self._changed.wait_for(lambda: self._changes != changes, max(seconds, pause)):
                        return False
                busy = busy_fingerprints()
        finally:
            with self._changed:
                self._awaited.subtract(each for group in groups for each in group)
                self._awaited += Counter()
        return any(not busy.intersection(group) for group in groups)

    def notify_waiters(self) -> None:
        """Wakes every `wait` of this process."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def announced(self, fingerprint: str) -> None:
        """Another process no longer works on a picture: wakes the waiters where one waits for it."""
        with self._changed:
            awaited = bool(self._awaited[fingerprint])
        if awaited:
            self.notify_waiters()

    def close(self) -> None:
        """Releases the liveness lock of this process: other processes may take over its open rows."""
        if self._liveness is not None:
            self._liveness.release()

    def _own_liveness(self) -> Liveness:
        with self._starting:
            if self._liveness is None:
                self._liveness = self._database.liveness()
            return self._liveness
