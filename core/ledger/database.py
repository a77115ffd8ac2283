"""Opens the journal's file, and keeps it openable.

SQLite with write-ahead logging where the file system allows it, every commit on disk before it counts. Writers take turns:
inside the process by a lock, between processes by `BEGIN IMMEDIATE`, so that what a transaction has read is still so when
it writes. A file that is broken, or of a newer version, is set aside under another name and never written to.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ..errors import LedgerFailed
from ..files import private_files
from . import schema
from .types import ledger_failed

log = logging.getLogger("nano_banana")

BUSY_SECONDS = 20.0
"""How long a writer waits for another process's turn to end."""
_BROKEN = ("malformed", "not a database", "corrupt", "unsupported file format", "no such table", "no such column")

Rebuild = Callable[[Connection, list[Path]], int]
"""Fills an empty journal from what is left, given the files that were set aside; gives how many pictures it found."""


class Database:
    """One file. `write` and `read` may be used from any thread."""

    def __init__(self, file: Path, rebuild: Rebuild) -> None:
        self.file = file
        self._rebuild = rebuild
        self._write_lock = threading.RLock()
        self._engine: Engine | None = None
        self._inode = 0
        self._notices: list[str] = []

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that nobody else writes in. Raises LedgerFailed."""
        with self._write_lock, self._translate_errors():
            with self._ensure_open().connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.exec_driver_sql("COMMIT")
                except BaseException:
                    try:
                        connection.exec_driver_sql("ROLLBACK")
                    except SQLAlchemyError:
                        pass  # SQLite has rolled back by itself, as it does on a full disk
                    raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading. Raises LedgerFailed."""
        with self._translate_errors():
            with self._write_lock:
                engine = self._ensure_open()
            with engine.connect() as connection:
                yield connection

    def take_notices(self) -> list[str]:
        """What the user should know about the file itself, once."""
        news, self._notices = self._notices, []
        return news

    def close(self) -> None:
        with self._write_lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    # ------------------------------------------------------------------------------------------------ inside

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except LedgerFailed:
            raise
        except (DBAPIError, sqlite3.Error) as error:
            words = str(getattr(error, "orig", None) or error)
            if any(sign in words for sign in _BROKEN):
                # The next one to come opens it anew, finds out and sets it aside.
                self.close()
            raise ledger_failed(f"The journal {self.file} can't be used: {words}") from None
        except OSError as error:
            raise ledger_failed(f"The journal {self.file} can't be used: {error.strerror or error}") from None

    def _ensure_open(self) -> Engine:
        if self._engine is not None and self._inode == _inode(self.file):
            return self._engine
        self.close()  # first use, or the file was taken away under us
        private_files.make_folder(self.file.parent)
        try:
            with private_files.lock(self.file.with_name(f"{self.file.name}.lock"), BUSY_SECONDS):
                self._engine = self._open()
        except Timeout:
            raise ledger_failed(f"The journal {self.file} is being opened by another process without end") from None
        self._inode = _inode(self.file)
        return self._engine

    def _open(self) -> Engine:
        aside: list[Path] = []
        if self.file.exists():
            problem = _problem(self.file)
            if problem:
                aside = self._set_aside(problem)
        # SQLite gives the files beside it the same rights.
        private_files.create(self.file)
        engine, fresh = _engine(self.file), False
        try:
            with engine.connect() as connection:
                # A file of no bytes is a new one, too: something has emptied it.
                fresh = self._upgrade(connection) == 0
                if fresh:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    found = self._rebuild(connection, aside)
                    connection.exec_driver_sql("COMMIT")
                    if found:
                        self._notify(f"The journal was rebuilt from the results: {found} pictures are known again")
        except BaseException:
            engine.dispose()
            if fresh:
                # A half-made one would pass for whole next time.
                for file in _files(self.file):
                    file.unlink(missing_ok=True)
            raise
        return engine

    def _upgrade(self, connection: Connection) -> int:
        """Brings the file to the newest version; gives the one it had, 0 = it had nothing."""
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        for number, step in enumerate(schema.STEPS[version:], version + 1):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            step(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {number}")
            connection.exec_driver_sql("COMMIT")
        return version

    def _set_aside(self, problem: str) -> list[Path]:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        moved = []
        for file in _files(self.file):
            # -wal and -shm keep belonging to it: SQLite finds them by the name before the hyphen.
            target = file.with_name(file.name.replace(self.file.name, f"{self.file.stem}-{stamp}{self.file.suffix}", 1))
            number = 0
            while target.exists():
                number += 1
                target = target.with_name(
                    f"{self.file.stem}-{stamp}-{number}{self.file.suffix}" + file.name[len(self.file.name) :]
                )
            file.rename(target)
            moved.append(target)
        self._notify(f"The journal {problem}: it was set aside as {moved[0].name}, unchanged, and a new one was begun")
        return moved[:1]

    def _notify(self, text: str) -> None:
        log.warning("%s.", text)
        self._notices.append(text)


def _files(file: Path) -> list[Path]:
    return [
        path
        for path in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal")))
        if path.exists()
    ]


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except OSError:
        return -1


def _problem(file: Path) -> str:
    """Why a journal can't be used; "" when it can. Raises OSError, and sqlite3.Error for what is no fault of the file."""
    if not file.is_file() and not file.is_dir():
        raise OSError(errno.EINVAL, "it is no file")  # a pipe would be waited for without an end
    with file.open("rb"):
        pass  # a missing right is not a broken file
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.newest():
            return f"is of version {version}, and this pack knows up to {schema.newest()}"
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            return "is damaged"
        if version:
            for table in schema.metadata.sorted_tables:
                names = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
                if version == schema.newest() and not names >= set(table.columns.keys()):
                    return f"lacks a part of the table {table.name}"
        return ""
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not any(sign in str(error) for sign in _BROKEN):
            raise
        return "is damaged"
    finally:
        connection.close()


def _engine(file: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # No implicit transactions: BEGIN, COMMIT and ROLLBACK are said where they are meant.
        return sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=4, max_overflow=-1)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        # Where write-ahead logging isn't possible (a network drive), SQLite stays with its old way by itself.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine
