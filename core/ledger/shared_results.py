"""Makes sure that all machines of a farm use one results folder: a picture that one can't see it would pay for again.

The folder has a file with an id, and the journal has the same one.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from sqlalchemy import Connection, text

from ..errors import LedgerFailed
from ..errors.messages import msg
from ..files import private_files

NAME = "journal.id"
_MAX_CHARACTERS = 100


def check(connection: Connection, folder: Path) -> None:
    """Raises LedgerFailed where the folder is not the one of the other machines; the first machine decides. Raises OSError."""
    file = folder / NAME
    known = str(connection.execute(text("SELECT results FROM journal_version")).scalar_one())
    here = _read(file)
    if not known:
        known = here or uuid.uuid4().hex
        connection.execute(text("UPDATE journal_version SET results = :known"), {"known": known})
        if not here:
            private_files.make_folder(folder)
            private_files.write(file, known.encode())
    elif here != known:
        raise LedgerFailed(
            msg("shared_results.another_folder", folder=folder),
            cure=msg("shared_results.name_it_or_adopt", id=known, file=file),
        )


def _read(file: Path) -> str:
    try:
        with file.open(encoding="ascii", errors="replace") as stream:
            return stream.read(_MAX_CHARACTERS).strip()
    except FileNotFoundError:
        return ""
