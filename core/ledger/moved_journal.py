"""Keeps every version of the pack from going on with a journal that was moved to a server.

What it wrote would be unknown to the farm: a picture would be paid twice, and the caps would hold for nobody. Triggers refuse
the writers that have the file open, and wait while it is moved. A folder takes the place of the file for all that start later:
they can't open it, and send nothing.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from ..files import private_files

_NAME = "moved-to.txt"
_MAX_CHARACTERS = 300
_REFUSAL = "this journal was moved to a PostgreSQL server, which NANO_BANANA_JOURNAL names"


def refuse_writes(connection: Connection) -> None:
    """From the commit on, pictures can only be read from this file."""
    for change in ("INSERT", "UPDATE", "DELETE"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER IF NOT EXISTS picture_moved_{change.lower()} BEFORE {change} ON picture "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def leave_marker(file: Path, where: str, kept: str) -> None:
    """Puts a folder with a note in the place of the file. `kept`: the name that the file has now. Raises OSError."""
    private_files.make_folder(file)
    note = f"{where}\nThe journal of this folder was moved to that server. The file is kept as {kept}, beside this folder.\n"
    private_files.write(file / _NAME, note.encode())


def moved_to(file: Path) -> str:
    """The server that the journal was moved to, "" where it wasn't."""
    try:
        with (file / _NAME).open(encoding="utf-8", errors="replace") as stream:
            return stream.readline(_MAX_CHARACTERS).strip()
    except OSError:
        return ""
