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


def join(connection: Connection, results: Results) -> str:
    """Gives the id, which the first machine makes. Raises LedgerFailed where the folder has another one, and OSError."""
    known = str(connection.execute(text("SELECT results FROM journal_version")).scalar_one())
    if known:
        check(results, known)
        return known
    here = _read(results)
    known = here or uuid.uuid4().hex
    connection.execute(text("UPDATE journal_version SET results = :known"), {"known": known})
    if not here:
        results.store.put(NAME, known.encode())
    return known


def check(results: Results, known: str) -> None:
    """Raises LedgerFailed where the folder is not, or is no longer, the one of the other machines. Raises OSError."""
    if (results.checked_id or _read(results)) != known:
        raise LedgerFailed(
            msg("shared_results.another_folder", folder=results.store.place),
            cure=msg("shared_results.name_it_or_adopt", id=known, file=f"{results.store.place}/{NAME}"),
        )
    if not results.store.may_vanish:
        results.checked_id = known


def _read(results: Results) -> str:
    try:
        return results.store.get(NAME, _MAX_BYTES).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotReadable):
        return ""
