"""What the machines of a farm share about a provider's key: how many requests run at a time, and pauses after a refusal.

A running request holds one of as many locks of the server as the key's limit allows. The server releases those of a machine
that has ended. With a journal in a file there is nothing to share, since it belongs to one machine.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from ..errors import LedgerFailed
from .database import Database, end_connection

_WAIT_SECONDS = 1.0
"""Pause between two tries where nobody announces a free permit: a machine that has ended announces nothing."""
_TICK = 0.05
"""Seconds between two checks whether the call is still wanted."""

# CASE keeps the order: a lock that this connection holds it would get once more, and then give back only once.
_ACQUIRE = text(
    "SELECT permit FROM generate_series(0, CAST(:limit AS int) - 1) AS permit WHERE "
    "CASE WHEN permit = ANY(CAST(:held AS int[])) THEN false ELSE pg_try_advisory_lock(:account, permit) END LIMIT 1"
)
_RELEASE = text("SELECT pg_advisory_unlock(:account, :permit)")


@dataclass(frozen=True)
class Permit:
    """One of the requests that run at a time with a key."""

    account: str
    number: int
    connection: int
    """Which connection holds the lock, counted from 1."""


class SharedLimits:
    """The limits of one process and the others of its farm. Usable from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._connections = 0
        self._held: dict[str, set[int]] = {}
        self._freed = threading.Condition()
        self._changes = 0
        self._on_pause: Callable[[str, float, bool], None] = lambda account, seconds, hinted: None
        database.on("permit", self._permit_is_free)
        database.on("pause", self._paused)

    @property
    def active(self) -> bool:
        """Whether there are other machines to share with."""
        return self._database.is_shared

    # ------------------------------------------------------------------------------------------------ permits

    def acquire(self, account: str, limit: int, unwanted: Callable[[], bool]) -> Permit | None:
        """Waits until fewer than `limit` requests run with a key on all machines; None where the call is unwanted by then.

        None also while the journal is away: then nothing can be sent anyway, and the call finds that out itself.
        """
        while not unwanted():
            with self._freed:
                changes = self._changes
            try:
                permit = self._try(account, limit)
            except LedgerFailed:
                return None
            if permit is not None:
                return permit
            self._wait(changes, unwanted)
        return None

    def release(self, permit: Permit) -> None:
        """The request has ended. Raises nothing."""
        with self._lock:
            if permit.connection != self._connections or self._connection is None:
                return  # the lock ended with its connection
            self._held[permit.account].discard(permit.number)
            try:
                self._connection.execute(_RELEASE, {"account": _number(permit.account), "permit": permit.number})
            except SQLAlchemyError:
                self._drop()
                return
        self._permit_is_free(permit.account)
        self._broadcast("permit", _name(permit.account))

    def close(self) -> None:
        """Releases all permits."""
        with self._lock:
            self._drop()

    def _try(self, account: str, limit: int) -> Permit | None:
        with self._lock:
            if self._connection is None:
                self._connection = self._database.connect()
                self._connections += 1
                self._held.clear()
            held = self._held.setdefault(account, set())
            values = {"limit": limit, "held": sorted(held), "account": _number(account)}
            try:
                number = self._connection.execute(_ACQUIRE, values).scalar()
            except SQLAlchemyError:
                self._drop()
                return None
            if number is None:
                return None
            held.add(number)
            return Permit(account, number, self._connections)

    def _wait(self, changes: int, unwanted: Callable[[], bool]) -> None:
        """Until a permit is free, the call is unwanted, or `_WAIT_SECONDS` are over."""
        end = time.monotonic() + _WAIT_SECONDS
        with self._freed:
            while self._changes == changes and time.monotonic() < end and not unwanted():
                self._freed.wait(_TICK)

    def _drop(self) -> None:
        kept, self._connection = self._connection, None
        if kept is not None:
            end_connection(kept)

    def _permit_is_free(self, account: str) -> None:
        with self._freed:
            self._changes += 1
            self._freed.notify_all()

    # ------------------------------------------------------------------------------------------------ pauses

    def on_pause(self, handler: Callable[[str, float, bool], None]) -> None:
        """`handler` gets the name of a key (`name_of`), the seconds of a pause, and whether the provider has named them."""
        self._on_pause = handler

    def announce_pause(self, account: str, seconds: float, hinted: bool) -> None:
        """The provider has refused a request with this key, and all machines are to wait. Raises nothing."""
        self._broadcast("pause", json.dumps([_name(account), seconds, hinted]))

    @staticmethod
    def name_of(account: str) -> str:
        """The name of a key among the machines; it says nothing about the key."""
        return _name(account)

    def _paused(self, message: str) -> None:
        try:
            name, seconds, hinted = json.loads(message)
            self._on_pause(str(name), float(seconds), bool(hinted))
        except (ValueError, TypeError):
            return  # of another version

    def _broadcast(self, kind: str, payload: str) -> None:
        try:
            self._database.broadcast(kind, payload)
        except LedgerFailed:
            pass  # the others find it out themselves


def _digest(account: str) -> bytes:
    return hashlib.sha256(account.encode("utf-8", "replace")).digest()


def _name(account: str) -> str:
    return _digest(account).hex()[:32]


def _number(account: str) -> int:
    return int.from_bytes(_digest(account)[:4], "big", signed=True)
