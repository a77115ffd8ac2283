"""Shows to the other processes on a PostgreSQL server that this one runs, and receives what they announce.

One connection of its own holds an advisory lock of the server as long as the process lives: the server releases it when the
connection ends, however that happens, and keeps it while the process is suspended. The connection also listens.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from ..errors import LedgerFailed
from ..errors.messages import msg
from .database import end_connection

if TYPE_CHECKING:
    from .postgres_database import PostgresDatabase

log = logging.getLogger("nano_banana")

RETURN_SECONDS = 10.0
"""After a restart of the server a process that was connected before counts as running for so long: it connects again."""
_CHANNEL = "nano_banana"
_WAIT_SECONDS = 5.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between two tries to connect again; the last one is repeated."""
_KEEPALIVES = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)
"""So that the server finds out within half a minute that a machine is gone."""

_HAS_EXITED = text(
    """
SELECT NOT EXISTS (
    SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint = :high AND objid::bigint = :low
) AND NOT EXISTS (
    SELECT 1 FROM worker WHERE id = :id AND connected < extract(epoch FROM pg_postmaster_start_time())
    AND extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) < :grace
)
"""
)


class PostgresSession:
    """The presence of this process. Raises JournalAway where the server doesn't answer."""

    def __init__(
        self, database: PostgresDatabase, handlers: Mapping[str, Callable[[str], None]], returned: Callable[[], None]
    ) -> None:
        """`handlers`: who gets what other processes announce, by its kind."""
        self.id = uuid.uuid4().hex
        self._database, self._returned = database, returned
        self._handlers = handlers
        self._held = threading.Event()
        self._closed = threading.Event()
        self._connection: Connection | None = None
        self._connect()
        self._thread = threading.Thread(target=self._run, daemon=True, name="nano-banana-journal")
        self._thread.start()

    def require(self) -> None:
        """Raises JournalAway while the lock isn't held: other processes could take over what is begun now."""
        if not self._held.is_set():
            raise self._database.away(ConnectionError(msg("postgres_database.did_not_answer")))

    def has_exited(self, owner: str) -> bool:
        """Whether the process with that id has ended. Not remembered: one that was cut off comes back with its id."""
        if owner == self.id:
            return False
        if not owner:
            return True
        key = _key(owner)
        values = {"high": key >> 32 & 0xFFFFFFFF, "low": key & 0xFFFFFFFF, "id": owner, "grace": RETURN_SECONDS}
        with self._database.read() as connection:
            return bool(connection.execute(_HAS_EXITED, values).scalar_one())

    def notify(self, connection: Connection, kind: str, payload: str) -> None:
        """Announces something to the other processes, once the transaction is committed."""
        message = json.dumps([self.id, kind, payload])
        connection.execute(text("SELECT pg_notify(:channel, :message)"), {"channel": _CHANNEL, "message": message})

    def release(self) -> None:
        """Ends the session, as the end of the process does."""
        self._closed.set()
        self._held.clear()
        self._wake()
        self._thread.join(_WAIT_SECONDS + 1)
        self._drop()

    # ------------------------------------------------------------------------------------------------ inside

    def _connect(self) -> None:
        kept = self._database.connect()
        try:
            connection = _driver(kept)
            connection.autocommit = True
            for statement in _KEEPALIVES:
                connection.execute(statement)
            locked = connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(self.id)]).fetchone()[0]
            if not locked:  # the server hasn't noticed yet that the last connection broke
                raise self._database.away(TimeoutError(msg("postgres_database.did_not_answer")))
            connection.execute(
                "INSERT INTO worker (id, name, connected) VALUES (%s, %s, extract(epoch FROM clock_timestamp())) "
                "ON CONFLICT (id) DO UPDATE SET connected = EXCLUDED.connected",
                [self.id, f"{socket.gethostname()}:{os.getpid()}"],
            )
            connection.execute(f"LISTEN {_CHANNEL}")
        except Exception as error:
            end_connection(kept)
            raise error if isinstance(error, LedgerFailed) else self._database.away(error) from None
        self._connection = kept
        self._held.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                for notice in _driver(self._connection).notifies(timeout=_WAIT_SECONDS):
                    self._dispatch(notice.payload)
                    if self._closed.is_set():
                        return
            except Exception as error:
                if not self._closed.is_set():
                    log.warning("%s", self._database.away(error).reason)
                    self._reconnect()

    def _reconnect(self) -> None:
        self._held.clear()
        self._drop()
        tries = 0
        while not self._closed.wait(_PAUSES[min(tries, len(_PAUSES) - 1)]):
            tries += 1
            try:
                self._connect()
            except LedgerFailed:
                continue
            except Exception:  # a bug of ours must not end the thread: nothing could be sent any more
                log.exception("the connection to the journal could not be made again")
                continue
            log.warning("The journal at %s is back.", self._database.address.shown)
            self._returned()
            return

    def _wake(self) -> None:
        """Ends the wait of the thread at once, by ending the connection."""
        try:
            with socket.fromfd(_driver(self._connection).fileno(), socket.AF_INET, socket.SOCK_STREAM) as shared:
                shared.shutdown(socket.SHUT_RDWR)
        except Exception:
            pass  # it has no connection now, or it can't be ended from here: the thread checks `_closed` after its wait

    def _drop(self) -> None:
        kept, self._connection = self._connection, None
        if kept is not None:
            end_connection(kept)

    def _dispatch(self, message: str) -> None:
        try:
            sender, kind, payload = json.loads(message)
            handler = self._handlers.get(kind)
        except (ValueError, TypeError, RecursionError):  # of somebody else
            return
        if handler is not None and sender != self.id:
            handler(str(payload))


def _driver(kept: Connection | None) -> Any:
    """The connection of psycopg. Raises ConnectionError where there is none."""
    if kept is None:
        raise ConnectionError
    return kept.connection.driver_connection


def _key(owner: str) -> int:
    """The number of the lock of a process."""
    try:
        return int.from_bytes(bytes.fromhex(owner)[:8], "big", signed=True)
    except ValueError:  # an id from a damaged file: nobody holds it
        return 0
