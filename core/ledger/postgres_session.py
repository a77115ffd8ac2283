"""Shows to the other processes on a PostgreSQL server that this one runs, and receives what they announce.

One connection of its own holds an advisory lock of the server as long as the process lives: the server releases it when the
connection ends, however that happens, and keeps it while the process is suspended. The connection also listens.

A connection can end alone, while its process runs. So a process that misses the lock of another one notes the time, and takes
it for ended only when it hasn't taken its lock again `GRACE_SECONDS` later. The other one finds that note before it sends
anything that costs money, and connects again first.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, text

from ..errors import LedgerFailed
from ..errors.messages import msg
from .database import end_connection
from .schema import worker

if TYPE_CHECKING:
    from .postgres_database import PostgresDatabase

log = logging.getLogger("nano_banana")

GRACE_SECONDS = 10.0
"""A process whose lock is missed, or whose server was restarted, counts as running for so long: it connects again."""
_CHANNEL = "nano_banana"
_CHECK_SECONDS = 5.0
"""Pause between two checks of the connection. With `tcp_user_timeout` (20 s) a process notices a silent break within 25 s;
the server, which waits for 25 s, and the other processes with `GRACE_SECONDS` need longer to take it for ended."""
_RECONNECT_SECONDS = 5.0
"""How long a run waits for a connection that is being made again."""
_TERMINATE_SECONDS = 2.0
"""How long the server may take to end the broken connection that still holds the lock."""
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between two tries to connect again; the last one is repeated."""
_KEEPALIVES = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)
"""So that the server finds out within half a minute that a machine is gone."""

_LOCKS = """
FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_PRESENCE = text(
    f"""
SELECT EXISTS (SELECT 1 {_LOCKS} AND classid::bigint = :high AND objid::bigint = :low) AS is_locked, connected, missed,
    extract(epoch FROM clock_timestamp()) - greatest(missed, extract(epoch FROM pg_postmaster_start_time())) AS seconds
FROM (SELECT CAST(:id AS text) AS id) AS wanted LEFT JOIN worker USING (id)
"""
)
# One that has connected again meanwhile has another time in `connected`.
_MISS = text(
    "UPDATE worker SET missed = extract(epoch FROM clock_timestamp()) WHERE id = :id AND missed = 0 AND connected = :connected"
)
_SHOW = """
INSERT INTO worker (id, name, connected) VALUES (%s, %s, extract(epoch FROM clock_timestamp()))
ON CONFLICT (id) DO UPDATE SET connected = EXCLUDED.connected, missed = 0
"""
_OWN = "SELECT missed, pg_backend_pid() FROM worker WHERE id = %s"
_END_EARLIER = f"SELECT pg_terminate_backend(pid) {_LOCKS} AND classid::bigint = %s AND objid::bigint = %s"


class PostgresSession:
    """The presence of this process. Raises JournalAway where the server doesn't answer."""

    def __init__(
        self, database: PostgresDatabase, handlers: Mapping[str, Callable[[str], None]], returned: Callable[[], None]
    ) -> None:
        """`handlers`: who gets what other processes announce, by its kind."""
        self.id = uuid.uuid4().hex
        self._database, self._returned = database, returned
        self._handlers = handlers
        self._state = threading.Condition()
        self._held = False
        """Whether the lock is held, as far as this process knows."""
        self._away = False
        """Whether the last try to connect again failed."""
        self._closed = threading.Event()
        self._connection: Connection | None = None
        self._pid = 0
        """The server's process that holds the lock."""
        self._connect()
        self._thread = threading.Thread(target=self._run, daemon=True, name="nano-banana-journal")
        self._thread.start()

    def require(self) -> None:
        """Raises JournalAway while the lock isn't held: other processes could take over what is begun now.

        Waits for a moment where the connection alone has ended and is being made again.
        """
        with self._state:
            self._state.wait_for(lambda: self._held or self._away or self._closed.is_set(), _RECONNECT_SECONDS)
            held = self._held
        if not held:
            raise self._database.away(ConnectionError(msg("postgres_database.did_not_answer")))

    def is_seen(self, connection: Connection) -> bool:
        """Whether no other process has missed the lock, in a transaction of the caller.

        Where one has, this process connects again, which `require` waits for.
        """
        if connection.execute(select(worker.c.missed).where(worker.c.id == self.id)).scalar() == 0.0:
            return True
        self._set_held(False)
        self._wake()
        return False

    def has_exited(self, owner: str) -> bool:
        """Whether the process with that id has ended. Not remembered: one that was cut off comes back with its id."""
        if owner == self.id:
            return False
        if not owner:
            return True
        high, low = _halves(owner)
        with self._database.read() as connection:
            found = connection.execute(_PRESENCE, {"high": high, "low": low, "id": owner}).one()
            if found.is_locked:
                return False
            if found.missed == 0.0:
                connection.execute(_MISS, {"id": owner, "connected": found.connected})
                return GRACE_SECONDS <= 0
        return found.missed is None or found.seconds > GRACE_SECONDS  # one that has left has no row

    def notify(self, connection: Connection, kind: str, payload: str) -> None:
        """Announces something to the other processes, once the transaction is committed."""
        message = json.dumps([self.id, kind, payload])
        connection.execute(text("SELECT pg_notify(:channel, :message)"), {"channel": _CHANNEL, "message": message})

    def release(self) -> None:
        """Ends the session, as the end of the process does; the others needn't wait until it returns."""
        self._closed.set()
        self._set_held(False)
        try:
            with self._database.read() as connection:
                connection.execute(worker.delete().where(worker.c.id == self.id))
        except LedgerFailed:
            pass  # they wait for it
        self._wake()
        self._thread.join(_CHECK_SECONDS + 1)
        self._drop()

    # ------------------------------------------------------------------------------------------------ inside

    def _connect(self) -> None:
        kept = self._database.connect()
        try:
            connection = _driver(kept)
            for statement in _KEEPALIVES:
                connection.execute(statement)
            self._lock(connection)
            self._pid = int(connection.execute("SELECT pg_backend_pid()").fetchone()[0])
            connection.execute(_SHOW, [self.id, f"{socket.gethostname()}:{os.getpid()}"])
            connection.execute(f"LISTEN {_CHANNEL}")
        except Exception as error:
            end_connection(kept)
            raise error if isinstance(error, LedgerFailed) else self._database.away(error) from None
        self._connection = kept
        self._set_held(True)

    def _lock(self, connection: Any) -> None:
        """Takes the lock. A broken connection of this process that the server takes for a living one is ended."""
        end = time.monotonic() + _TERMINATE_SECONDS
        while not connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(self.id)]).fetchone()[0]:
            if time.monotonic() > end:
                raise self._database.away(TimeoutError(msg("postgres_database.did_not_answer")))
            connection.execute(_END_EARLIER, _halves(self.id))
            self._closed.wait(_PAUSES[0])

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                connection = _driver(self._connection)
                for notice in connection.notifies(timeout=_CHECK_SECONDS):
                    self._dispatch(notice.payload)
                    if self._closed.is_set():
                        return
                if connection.execute(_OWN, [self.id]).fetchone() != (0.0, self._pid):
                    raise ConnectionError(msg("postgres_database.did_not_answer"))
                self._confirm_held()
            except Exception as error:
                if not self._closed.is_set():
                    log.warning("%s", self._database.away(error).reason)
                    self._reconnect()

    def _reconnect(self) -> None:
        self._set_held(False)
        self._drop()
        tries = 0
        while not self._closed.wait(_PAUSES[min(tries, len(_PAUSES) - 1)]):
            tries += 1
            try:
                self._connect()
            except LedgerFailed:
                self._set_away()
                continue
            except Exception:  # a bug of ours must not end the thread: nothing could be sent any more
                self._set_away()
                log.exception("the connection to the journal could not be made again")
                continue
            log.warning("The journal at %s is back.", self._database.address.shown)
            self._returned()
            return

    def _set_held(self, held: bool) -> None:
        with self._state:
            self._held, self._away = held, False
            self._state.notify_all()

    def _confirm_held(self) -> None:
        """The server says that the lock is held: what `is_seen` has found may have been from before the last connection."""
        with self._state:
            self._held |= not self._closed.is_set()
            self._state.notify_all()

    def _set_away(self) -> None:
        with self._state:
            self._away = True
            self._state.notify_all()

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


def _halves(owner: str) -> tuple[int, int]:
    """That number as the server's list of locks shows it."""
    key = _key(owner)
    return key >> 32 & 0xFFFFFFFF, key & 0xFFFFFFFF
