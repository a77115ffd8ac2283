"""Keeps every version of the pack from going on with a journal that was moved to a server.

What it wrote would be unknown to the farm: a picture would be paid twice, and the caps would hold for nobody. Triggers refuse
the writers that have the file open, and wait while it is moved. A folder takes the place of the file for all that start later:
they can't open it, and send nothing.

A move can be cut off after the file has lost its name and before the folder is there. The note is beside it until then: no
new journal is begun, and the next move gives the file its name back first.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from sqlalchemy import Connection

from ..files import private_files

_NAME = "moved-to.txt"
_MOVING = "journal-moving.txt"
"""The note, while the folder is not there."""
_KEPT = re.compile(r"journal-moved-[\d-]+\.sqlite")
_MAX_CHARACTERS = 2000
_ENDS = ("-wal", "-shm", "-journal", "")
"""What SQLite keeps beside a file, and the file itself, which is renamed last."""
_REFUSAL = "this journal was moved to a PostgreSQL server, which NANO_BANANA_JOURNAL names"


def refuse_writes(connection: Connection) -> None:
    """From the commit on, pictures can only be read from this file."""
    for change in ("INSERT", "UPDATE", "DELETE"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER IF NOT EXISTS picture_moved_{change.lower()} BEFORE {change} ON picture "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def put_aside(file: Path, where: str) -> Path:
    """Renames the file, and puts a folder with a note in its place; gives the new name. `where`: the server.

    Nobody finds it by mistake under that name, and it stays complete. Raises OSError, with the old name where possible.
    """
    kept = _free_name(file)
    note = file.with_name(_MOVING)
    told = f"The journal of this folder was moved to that server. The file is kept as {kept.name}, beside this folder."
    private_files.write(note, f"{where}\n{told}\n".encode())
    try:
        _rename(file, kept)
    except OSError:
        with contextlib.suppress(OSError):
            _rename(kept, file)
        raise
    private_files.make_folder(file)
    note.replace(file / _NAME)
    return kept


def put_back(file: Path) -> None:
    """Gives the file its name back where a move was cut off. Raises OSError."""
    found = _KEPT.search(_text(file.with_name(_MOVING)))
    if found is None or file.is_file():
        return
    if file.is_dir():
        file.rmdir()
    _rename(file.with_name(found[0]), file)


def cut_off(file: Path) -> str:
    """The server, where a move was cut off when the file had lost its name; "" else."""
    return "" if file.is_file() else _text(file.with_name(_MOVING)).partition("\n")[0].strip()


def moved_to(file: Path) -> str:
    """The server that the journal was moved to, "" where it wasn't."""
    return _text(file / _NAME).partition("\n")[0].strip()


def _free_name(file: Path) -> Path:
    stamp = f"journal-moved-{time.strftime('%Y%m%d-%H%M%S')}"
    ends = ("", *(f"-{number}" for number in range(2, 1000)))
    names = (file.with_name(f"{stamp}{end}.sqlite") for end in ends)
    return next(name for name in names if not name.exists())


def _rename(file: Path, name: Path) -> None:
    for end in _ENDS:
        part = file.with_name(file.name + end)
        if part.exists():
            part.rename(name.with_name(name.name + end))


def _text(file: Path) -> str:
    """The beginning of a note; "" where there is none."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_MAX_CHARACTERS)
    except OSError:
        return ""
