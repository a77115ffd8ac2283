"""Makes sure that all machines of a farm use one place of results: a picture that one can't see it would pay for again.

The place has a file with an id, and the journal has the same one.
"""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, text

from ..errors import LedgerFailed
from ..errors.messages import msg
from ..files.regular_files import NotReadable
from .results import Results

NAME = "journal.id"
_MAX_BYTES = 4096


def check(connection: Connection, results: Results) -> None:
    """Raises LedgerFailed where the folder is not the one of the other machines; the first machine decides. Raises OSError."""
    known = str(connection.execute(text("SELECT results FROM journal_version")).scalar_one())
    here = _read(results)
    if not known:
        known = here or uuid.uuid4().hex
        connection.execute(text("UPDATE journal_version SET results = :known"), {"known": known})
        if not here:
            results.store.put(NAME, known.encode())
    elif here != known:
        raise LedgerFailed(
            msg("shared_results.another_folder", folder=results.store.place),
            cure=msg("shared_results.name_it_or_adopt", id=known, file=f"{results.store.place}/{NAME}"),
        )


def _read(results: Results) -> str:
    try:
        return results.store.get(NAME, _MAX_BYTES).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotReadable):
        return ""
