"""Finds out whether a pooler between this process and the server keeps sessions.

Locks that show that a process runs, and announcements, belong to a session. PgBouncer in transaction mode gives any session to
a transaction: a lock would be held for another process, and a picture could be paid twice.
"""

from __future__ import annotations

from typing import Any

_PID = "SELECT pg_backend_pid()"
_TRIES = 3
_NOT_ALLOWED = "08P01"
"""What PgBouncer answers where each statement may get another session: there are no transactions."""


def keeps_sessions(first: Any, second: Any) -> bool:
    """Whether two connections of psycopg, in autocommit mode, have a session each. Leaves nothing behind.

    Raises the driver's errors.
    """
    pid = _pid(first)
    # A pooler makes up the number that a client is told when it connects. Without one nothing more is to be tried.
    if pid == first.info.backend_pid:
        return True
    # Where sessions are given in turns, each statement gets the next one.
    if any(_pid(first) != pid for _ in range(_TRIES)):
        return False
    # Else a transaction gets the session that was used last, or for once one that the pooler has just opened.
    return all(_are_apart(first, second, pid) for _ in range(_TRIES))


def _are_apart(first: Any, second: Any, pid: int) -> bool:
    """Whether `first` has the session `pid` while `second` is in a transaction of another one, and after it."""
    try:
        second.execute("BEGIN")
    except Exception as error:
        if getattr(error, "sqlstate", None) == _NOT_ALLOWED:
            return False
        raise
    try:
        if _pid(second) == pid or _pid(first) != pid:
            return False
    finally:
        second.execute("ROLLBACK")
    return _pid(first) == pid


def _pid(connection: Any) -> int:
    """The server's process that answers."""
    return int(connection.execute(_PID).fetchone()[0])
