"""Opens the journal's SQLite file, upgrades it, and replaces it where it is damaged.

Write-ahead logging where the file system allows it; every commit is on disk when it returns. Write transactions exclude each
other: within the process by a lock, between processes by `BEGIN IMMEDIATE`, so that what a transaction has read stays true
until it commits. A file that is damaged, or of a newer schema, is renamed and never written to.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ..errors import LedgerFailed
from ..errors.messages import joined, msg
from ..files import private_files
from ..files.network_drives import network_drive
from . import moved_journal, schema
from .database import BUSY_SECONDS, Database, Rebuild
from .liveness import LivenessLock
from .types import ledger_failed

OVERRIDE = "NANO_BANANA_NETWORK_DRIVE"
_DAMAGED = ("malformed", "not a database", "corrupt", "unsupported file format", "no such table", "no such column")


class SqliteDatabase(Database):
    """One SQLite file, and the locks of the processes that use it beside it."""

    def __init__(self, file: Path, rebuild: Rebuild, *, on_network: bool = False) -> None:
        """`on_network`: a new one may be begun on a network drive."""
        super().__init__()
        self.file, self._on_network, self._warned = file, on_network, False
        self._rebuild = rebuild
        self._write_lock = threading.RLock()
        self._engine: Engine | None = None
        self._inode = 0

    @property
    def is_new(self) -> bool:
        return not self.file.exists()

    @property
    def shown(self) -> str:
        return str(self.file)

    def liveness(self) -> LivenessLock:
        folder = self.file.parent
        try:
            return LivenessLock(folder / "owners")
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or error
            raise ledger_failed(msg("ownership.data_folder_not_writable", home=folder, why=why)) from None

    @contextmanager
    def write(self) -> Iterator[Connection]:
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
                        pass  # SQLite has rolled back already, as it does on a full disk
                    raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._translate_errors():
            with self._write_lock:
                engine = self._ensure_open()
            with engine.connect() as connection:
                yield connection

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
            message = str(getattr(error, "orig", None) or error)
            if any(sign in message for sign in _DAMAGED):
                # The next use opens the file again, and sets it aside where it is damaged.
                self.close()
            raise ledger_failed(msg("database.journal_not_usable", file=self.file, error=message)) from None
        except OSError as error:
            raise ledger_failed(
                msg("database.journal_not_usable", file=self.file, error=error.strerror or error)
            ) from None

    def _ensure_open(self) -> Engine:
        if self._engine is not None and self._inode == _inode(self.file):
            return self._engine
        self.close()  # first use, or another file has taken its place
        if server := moved_journal.moved_to(self.file):
            raise LedgerFailed(
                msg("sqlite_database.was_moved", file=self.file, server=server),
                cure=msg("sqlite_database.name_server_or_delete", folder=self.file),
            )
        if server := moved_journal.cut_off(self.file):
            raise LedgerFailed(
                msg("sqlite_database.move_cut_off", file=self.file, server=server),
                cure=msg("sqlite_database.move_again"),
            )
        self._check_drive()
        private_files.make_folder(self.file.parent)
        try:
            with private_files.lock(self.file.with_name(f"{self.file.name}.lock"), BUSY_SECONDS):
                self._engine = self._open()
        except Timeout:
            raise ledger_failed(msg("database.journal_locked_by_process", file=self.file)) from None
        self._inode = _inode(self.file)
        return self._engine

    def _check_drive(self) -> None:
        """Raises LedgerFailed for a new file on a network drive, where two machines could pay for the same picture."""
        drive = "" if self._warned else network_drive(self.file.parent)
        if not drive:
            return
        cure = msg("sqlite_database.local_disk_or_server", variable=OVERRIDE)
        if not self._on_network and not self.file.exists():
            raise ledger_failed(msg("sqlite_database.not_on_network_drive", file=self.file, drive=drive), cure)
        self._warned = True
        self._notify(joined(msg("sqlite_database.is_on_network_drive", file=self.file, drive=drive), cure))

    def _open(self) -> Engine:
        set_aside: list[Path] = []
        if self.file.exists():
            problem = _problem(self.file)
            if problem:
                set_aside = self._set_aside(problem)
        # SQLite gives its -wal and -shm files the rights of this file.
        private_files.create(self.file)
        engine, fresh = _engine(self.file), False
        try:
            with engine.connect() as connection:
                # An empty file counts as a new one.
                fresh = _upgrade(connection) == 0
                if fresh:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    found = self._rebuild(connection, set_aside)
                    connection.exec_driver_sql("COMMIT")
                    if found:
                        self._notify(msg("database.journal_rebuilt_from_results", found=found))
        except BaseException:
            engine.dispose()
            if fresh:
                # An incomplete file would be taken for a complete one when it is opened next.
                for file in _files(self.file):
                    file.unlink(missing_ok=True)
            raise
        return engine

    def _set_aside(self, problem: str) -> list[Path]:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        moved = []
        for file in _files(self.file):
            # SQLite finds -wal and -shm by the name of the main file, so they are renamed alike.
            target = file.with_name(file.name.replace(self.file.name, f"{self.file.stem}-{stamp}{self.file.suffix}", 1))
            number = 0
            while target.exists():
                number += 1
                target = target.with_name(
                    f"{self.file.stem}-{stamp}-{number}{self.file.suffix}" + file.name[len(self.file.name) :]
                )
            file.rename(target)
            moved.append(target)
        self._notify(msg("database.journal_set_aside", problem=problem, moved=moved[0].name))
        return moved[:1]


def _upgrade(connection: Connection) -> int:
    """Upgrades the file to the newest schema; gives the version it had, 0 = an empty file."""
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    for number, step in enumerate(schema.STEPS[version:], version + 1):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        step(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")
        connection.exec_driver_sql("COMMIT")
    return version


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
    """Why a journal can't be used; "" when it can. Raises OSError, and sqlite3.Error for faults that are not the file's."""
    if not file.is_file() and not file.is_dir():
        raise OSError(errno.EINVAL, msg("database.not_a_file"))  # opening a pipe would block for ever
    with file.open("rb"):
        pass  # a missing permission is no damage
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.newest():
            return msg("database.version_too_new", version=version, newest=schema.newest())
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            return msg("database.is_damaged")
        if version:
            for table in schema.metadata.sorted_tables:
                names = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
                if version == schema.newest() and not names.issuperset(column.name for column in table.columns):
                    return msg("database.table_incomplete", table=table.name)
        return ""
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not any(sign in str(error) for sign in _DAMAGED):
            raise
        return msg("database.is_damaged")
    finally:
        connection.close()


def _engine(file: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # No implicit transactions: `Database` begins and ends them.
        return sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=4, max_overflow=-1)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        # Where write-ahead logging isn't possible (a network drive), SQLite keeps its rollback journal by itself.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine
