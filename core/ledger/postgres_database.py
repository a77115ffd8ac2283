"""Keeps the journal on a PostgreSQL server, for several machines together.

Write transactions exclude each other by one advisory lock, which makes them what `BEGIN IMMEDIATE` is for a file: what one has
read stays true until it commits. A commit is on the server's disk when it returns. While the server doesn't answer, every use
raises JournalAway.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import JournalAway, LedgerFailed
from ..errors.messages import msg
from . import postgres_pooler, schema, shared_results
from .database import BUSY_SECONDS, Database, Rebuild
from .postgres_address import PostgresAddress
from .postgres_session import GRACE_SECONDS, PostgresSession
from .results import Results
from .types import ledger_failed

WRITERS = int.from_bytes(b"nbanana\0", "big")
"""The number of the advisory lock of write transactions."""
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Parameters of libpq, unless the address has them: a server that no longer answers is noticed within half a minute."""
_ENDED = msg("postgres_database.server_ended_connection")
_STARTS_OR_STOPS = msg("postgres_database.server_starts_or_stops")
_KNOWN = {"57P01": _ENDED, "57P02": _ENDED, "57P03": _STARTS_OR_STOPS}
"""Reasons by SQLSTATE. https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_KNOWN_WORDS = {
    "terminating connection": _ENDED,
    "server closed the connection": _ENDED,
    "database system is shutting down": _STARTS_OR_STOPS,
    "database system is starting up": _STARTS_OR_STOPS,
    "database system is in recovery mode": _STARTS_OR_STOPS,
    "database system is not yet accepting": _STARTS_OR_STOPS,
}
"""The same by what libpq and the server say where the driver's error has no state, as that of a refused connection."""
_IDLE_SECONDS = 120
"""A transaction whose process does nothing for so long, since it is suspended perhaps, is ended by the server."""
_REFUSE_SECONDS = 0.5
"""For so long after a failed connection nothing else tries to connect."""

_PING_SECONDS = 10.0
_USED = "nano_banana_used"

_PREPARE = (
    f"SET lock_timeout = '{BUSY_SECONDS:.0f}s'",
    f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    # The connection that shows that this process runs may be idle for days. Servers before version 14 don't know it.
    "SELECT set_config('idle_session_timeout', '0', false) WHERE current_setting('idle_session_timeout', true) <> '0'",
)


def _parameters() -> dict[str, Any]:
    """The server shows by its name which process a connection belongs to."""
    return {"application_name": f"nano_banana {os.getpid()}", **_CONNECT}


class PostgresDatabase(Database):
    """One database on a server, or one schema of it."""

    foreign_wait_seconds = 1.0
    grace_seconds = GRACE_SECONDS
    is_shared = True

    def __init__(self, address: PostgresAddress, rebuild: Rebuild, results: Results, earlier: Path) -> None:
        """`results`: those that all machines share. `earlier`: the file that kept the journal of this machine before."""
        super().__init__()
        self.address, self._results, self._earlier = address, results, earlier
        self._rebuild = rebuild
        self._opening, self._write_lock = threading.Lock(), threading.RLock()
        self._engine: Engine | None = None
        self._session: PostgresSession | None = None
        self._failed_at, self._failure = float("-inf"), ""
        self._results_id = ""
        self._handlers: dict[str, Callable[[str], None]] = {}
        self._returned: Callable[[], None] = lambda: None

    @property
    def is_new(self) -> bool:
        return False

    @property
    def shown(self) -> str:
        return self.address.shown

    @contextmanager
    def write(self) -> Iterator[Connection]:
        # One writer of the process at a time: those that wait for the lock of the server would use up all connections.
        with self._write_lock, self._translate_errors():
            with self._ensure_open().connect() as connection, _transaction(connection):
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._translate_errors():
            with self._ensure_open().connect() as connection:
                yield connection

    def liveness(self) -> PostgresSession:
        with self._translate_errors():
            self._ensure_open()
            self._session = PostgresSession(self, self._handlers, self._returned)
            return self._session

    def listen(self, changed: Callable[[str], None], returned: Callable[[], None]) -> None:
        self._handlers["picture"], self._returned = changed, returned

    def on(self, kind: str, handler: Callable[[str], None]) -> None:
        self._handlers[kind] = handler

    def broadcast(self, kind: str, payload: str) -> None:
        if self._session is not None:
            with self.read() as connection:
                self._session.notify(connection, kind, payload)

    def announce(self, connection: Connection, fingerprints: Iterable[str]) -> None:
        if self._session is not None:
            for fingerprint in fingerprints:
                self._session.notify(connection, "picture", fingerprint)

    def check_results(self) -> None:
        shared_results.check(self._results, self._results_id)

    def close(self) -> None:
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def connect(self) -> Connection:
        with self._translate_errors():
            return self._ensure_open().connect()

    # ------------------------------------------------------------------------------------------------ inside

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise self.away(error) from None
        except DBAPIError as error:
            if error.connection_invalidated:
                raise self.away(error) from None
            raise ledger_failed(
                msg("database.journal_not_usable", file=self.address.shown, error=self._reason(error)),
                msg("postgres_database.look_at_server"),
            ) from None
        except OSError as error:  # of the results folder, inside a transaction
            raise ledger_failed(
                msg("database.journal_not_usable", file=self.address.shown, error=error.strerror or error)
            ) from None

    def away(self, error: BaseException) -> JournalAway:
        """The error for a server that doesn't answer."""
        reason = self._reason(error)
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        if isinstance(error, DBAPIError) and (state is None or state.startswith("57P")):
            self._failed_at, self._failure = time.monotonic(), reason
        return self._away(reason)

    def _away(self, reason: str) -> JournalAway:
        what = msg("postgres_database.journal_away", address=self.address.shown, error=reason)
        return JournalAway(
            what,
            money=msg("postgres_database.under_way_is_kept"),
            cure=msg("postgres_database.nothing_sent_until_back"),
        )

    def _reason(self, error: BaseException) -> str:
        """Why, in own words where it is known; else the first line of what the driver says, without secrets."""
        known = _KNOWN.get(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
        known = known or next((reason for words, reason in _KNOWN_WORDS.items() if words in str(error)), None)
        if known:
            return known
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        return self.address.without_secrets(lines[0] if lines else type(error).__name__)

    def _ensure_open(self) -> Engine:
        if time.monotonic() < self._failed_at + _REFUSE_SECONDS:
            raise self._away(self._failure)
        if self._engine is not None:
            return self._engine
        with self._opening:
            if self._engine is None:
                engine = self._create_engine()
                try:
                    self._check_pooler(engine)
                    _set_up(engine)
                    self._prepare_tables(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
                if self._earlier.is_file():
                    self._notify(
                        msg("postgres_database.earlier_journal", file=self._earlier, command="python ledger.py move")
                    )
            return self._engine

    def _create_engine(self) -> Engine:
        url = self.address.url()
        try:
            import psycopg
        except ImportError:
            raise LedgerFailed(
                msg("postgres_database.driver_missing", source=self.address.source),
                cure=msg("postgres_database.install_driver", command="pip install 'psycopg[binary]'"),
            ) from None
        if tuple(int(part) for part in psycopg.__version__.split(".")[:2]) < (3, 2):
            raise LedgerFailed(
                msg("postgres_database.driver_too_old", version=psycopg.__version__),
                cure=msg("postgres_database.install_driver", command="pip install -U 'psycopg[binary]'"),
            )
        return create_engine(
            url,
            connect_args={name: value for name, value in _parameters().items() if name not in url.query},
            pool_size=4,
            max_overflow=8,
            pool_timeout=BUSY_SECONDS,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",  # `_transaction` begins and ends transactions
        )

    def _check_pooler(self, engine: Engine) -> None:
        """Raises LedgerFailed where sessions aren't kept. Nothing is set in a session of somebody else before that."""
        import psycopg

        words, given = engine.dialect.create_connect_args(self.address.url())
        named: dict[str, Any] = {**_parameters(), **given, "autocommit": True}
        try:
            # Not by the engine, which begins a transaction in its first connection.
            with psycopg.connect(*words, **named) as first, psycopg.connect(*words, **named) as second:
                kept = postgres_pooler.keeps_sessions(first, second)
        except psycopg.Error as error:
            raise self.away(DBAPIError("", None, error)) from None
        if not kept:
            raise LedgerFailed(
                msg("postgres_database.pooler_drops_sessions", address=self.address.shown),
                cure=msg("postgres_database.keep_sessions", source=self.address.source),
            )

    def _prepare_tables(self, engine: Engine) -> None:
        """Upgrades the tables to the newest schema. Raises LedgerFailed where they are of a newer one."""
        with engine.connect() as connection, _transaction(connection):
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS journal_version (version INTEGER NOT NULL, results TEXT NOT NULL)"
            )
            version = int(connection.exec_driver_sql("SELECT MAX(version) FROM journal_version").scalar() or 0)
            if version > schema.newest():
                raise LedgerFailed(
                    msg(
                        "postgres_database.version_too_new",
                        address=self.address.shown,
                        version=version,
                        newest=schema.newest(),
                    ),
                    cure=msg("postgres_database.update_pack"),
                )
            for step in schema.STEPS[version:]:
                step(connection)
            change = "UPDATE journal_version SET version = :number" if version else _FIRST_VERSION
            connection.execute(text(change), {"number": schema.newest()})
            self._results_id = shared_results.join(connection, self._results)
            if version == 0:
                # Many sidecars take longer than a transaction may do nothing.
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                if found := self._rebuild(connection, []):
                    self._notify(msg("database.journal_rebuilt_from_results", found=found))


_FIRST_VERSION = "INSERT INTO journal_version VALUES (:number, '')"
# Stricter levels, which a server may have as its default, read what was there before the lock was waited for.
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITERS})"


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """A write transaction, once no other process has one."""
    connection.exec_driver_sql(_BEGIN)  # in one message: each one more would be a wait for the network
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError:
            pass  # the connection has ended, and the transaction with it
        raise


def _set_up(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkout", partial(_check, engine.dialect))
    event.listen(engine, "checkin", _note_use)


def _prepare(connection: Any, record: object) -> None:
    """Sets what holds for each connection."""
    connection.autocommit = True
    for statement in _PREPARE:
        connection.execute(statement)


def _check(dialect: Dialect, connection: Any, record: Any, proxy: object) -> None:
    """Raises DisconnectionError, for another connection, where the server has ended one that is taken from the pool.

    What the server has sent is read without a wait. It is asked only where a network may have forgotten an idle connection.
    """
    try:
        for _ in range(2):  # first what the server says at the end, then the end itself
            connection.pgconn.consume_input()
        if time.monotonic() - record.info.get(_USED, 0.0) > _PING_SECONDS:
            dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError(type(error).__name__) from None


def _note_use(connection: object, record: Any) -> None:
    record.info[_USED] = time.monotonic()
