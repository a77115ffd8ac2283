"""Moves the journal of a data folder to the server that keeps the journal of a farm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from ..errors import LedgerFailed
from ..errors.messages import msg
from . import moved_journal
from .database import Database, Liveness
from .journal import Journal
from .schema import graph, picture, result
from .types import OPEN_STATES

_CHUNK = 500


def move(source: Journal, target: Database) -> tuple[int, Path]:
    """Copies the rows in one transaction, then renames the file; gives how many pictures there were, and its new name.

    What was reserved and never sent is not copied: it cost nothing, and would count in the caps. Run again after it was cut
    off, it copies nothing twice. Afterwards no version of the pack writes into the file (`moved_journal`). Raises LedgerFailed
    with nothing moved while a ComfyUI uses the file, and with the rows copied where the file can't be renamed.
    """
    file = source.home / "journal.sqlite"
    with _renaming(file):
        moved_journal.put_back(file)
    if not file.is_file():
        raise LedgerFailed(msg("move.no_journal", home=source.home))
    liveness = source.database.liveness()
    try:
        with source.database.write() as old:
            _check_unused(source.home, liveness)  # from here on nobody can write into it
            with target.write() as new:
                count = _copy(old, new)
            moved_journal.refuse_writes(old)
    finally:
        liveness.release()
    source.close()
    with _renaming(file):
        return count, moved_journal.put_aside(file, target.shown)


@contextmanager
def _renaming(file: Path) -> Iterator[None]:
    """Raises LedgerFailed where the system refuses, as Windows does while a program has the file open."""
    try:
        yield
    except OSError as error:
        raise LedgerFailed(
            msg("move.file_not_renamed", file=file, error=error.strerror or error), cure=msg("move.close_programs")
        ) from None


def _copy(old: Connection, new: Connection) -> int:
    for table in (graph, result):
        known = set(new.execute(select(table.primary_key.columns[0])).scalars())
        for rows in _chunks(old, table):
            if missing := [row for row in rows if row[table.primary_key.columns[0].key] not in known]:
                new.execute(insert(table), missing)
    return sum(_copy_pictures(rows, new) for rows in _chunks(old, picture))


def _copy_pictures(rows: list[dict[str, Any]], new: Connection) -> int:
    uids = [row["uid"] for row in rows]
    # What the server knows from a sidecar, which names no call, is less than what the journal has. All else that it has is
    # newer: after a first try it may have stored, or deleted, what the file still has as a task or as a picture.
    complete = [row["uid"] for row in rows if row["state"] == "stored" and row["call"]]
    from_sidecar = (picture.c.state == "stored") & (picture.c.call == "") & (picture.c.fingerprint != "")
    new.execute(delete(picture).where(picture.c.uid.in_(complete) & from_sidecar))
    known = set(new.execute(select(picture.c.uid).where(picture.c.uid.in_(uids))).scalars())
    missing = [
        row | ({"owner": ""} if row["state"] in OPEN_STATES else {})
        for row in rows
        if row["uid"] not in known and row["state"] != "reserved"
    ]
    if missing:
        new.execute(insert(picture), missing)
    return len(missing)


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """All rows, with the names that columns have in code."""
    keys = [column.key for column in table.columns]
    found = connection.execute(select(table))
    while rows := found.fetchmany(_CHUNK):
        yield [dict(zip(keys, row, strict=True)) for row in rows]


def _check_unused(home: Path, liveness: Liveness) -> None:
    """Raises LedgerFailed while another process has the journal open."""
    others = [file.stem for file in (home / "owners").glob("*.lock") if file.stem != liveness.id]
    if not all(liveness.has_exited(owner) for owner in others):
        raise LedgerFailed(msg("move.journal_in_use", home=home), cure=msg("move.stop_comfyui"))
