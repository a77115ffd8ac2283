"""Where the journal is kept: one interface, with a form for a SQLite file and one for a PostgreSQL server.

Only the two forms know which of them is used; everything else in the ledger is plain SQLAlchemy Core.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger("nano_banana")

BUSY_SECONDS = 20.0
"""How long a writer waits for the transaction of another process."""

Rebuild = Callable[[Connection, list[Path]], int]
"""Fills an empty journal, given the files that were set aside; gives how many pictures it found."""


def end_connection(connection: Connection) -> None:
    """Ends a connection, so that the server releases its locks. Raises nothing."""
    try:
        connection.invalidate()
        connection.close()
    except SQLAlchemyError:
        pass  # it had ended already


class Liveness(Protocol):
    """This process as the other ones see it, and whether they still run."""

    id: str
    """Written into the rows of this process; never used twice."""

    def require(self) -> None:
        """Raises LedgerFailed where the other processes can't see now that this one runs."""

    def is_seen(self, connection: Connection) -> bool:
        """Whether no other process takes this one for ended, or is about to. Where one does, `require` waits for a cure."""

    def has_exited(self, owner: str) -> bool:
        """Whether the process with that id has ended. Raises LedgerFailed where that can't be found out."""

    def release(self) -> None:
        """Takes this process for ended, as its end does."""


class Database(ABC):
    """Where one journal is kept. Usable from any thread."""

    foreign_wait_seconds = 0.25
    """Seconds between two reads of rows that another process works on."""
    grace_seconds = 0.0
    """How long a process that can't be seen counts as running."""
    is_shared = False
    """Whether several machines use it. `announce` then reaches the other processes, so that their waits needn't poll."""

    def __init__(self) -> None:
        self._notices: list[str] = []

    @property
    @abstractmethod
    def is_new(self) -> bool:
        """Whether nothing was ever written. Opens nothing. Raises OSError."""

    @property
    @abstractmethod
    def shown(self) -> str:
        """Where it is, for messages."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Connection]:
        """A write transaction, exclusive among all processes. Raises LedgerFailed."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """A connection for reading. Raises LedgerFailed."""

    @abstractmethod
    def liveness(self) -> Liveness:
        """Shows this process to the other ones. Called once. Raises LedgerFailed."""

    @abstractmethod
    def close(self) -> None:
        """Closes all connections; the next use opens them again."""

    def announce(self, connection: Connection, fingerprints: Iterable[str]) -> None:  # noqa: B027
        """Tells the waiting processes, once the transaction is committed, that these pictures are no longer worked on."""

    def listen(self, changed: Callable[[str], None], returned: Callable[[], None]) -> None:  # noqa: B027
        """`changed` gets each fingerprint that another process announces; `returned` is called when the journal is back.

        Both are called from another thread, and must not raise.
        """

    def on(self, kind: str, handler: Callable[[str], None]) -> None:  # noqa: B027
        """`handler` gets what other processes `broadcast` under that word, from another thread; it must not raise."""

    def broadcast(self, kind: str, payload: str) -> None:  # noqa: B027
        """Tells the other processes at once. Raises LedgerFailed."""

    def check_results(self) -> None:  # noqa: B027
        """Raises LedgerFailed where the folder of results isn't, or is no longer, the one of the other machines."""

    def connect(self) -> Connection:
        """A connection that the caller keeps for its locks. Only where the journal is shared. Raises LedgerFailed."""
        raise NotImplementedError

    def take_notices(self) -> list[str]:
        """What the user should know about the journal; each notice is given once."""
        news, self._notices = self._notices, []
        return news

    def _notify(self, text: str) -> None:
        log.warning("%s.", text)
        self._notices.append(text)
