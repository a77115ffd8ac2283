"""Fills an empty journal: first with the rows that can be read from a file that was set aside, then from the sidecars."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from . import sidecar
from .results import Results
from .schema import graph, picture, result

log = logging.getLogger("nano_banana")


def rebuild(results: Results, connection: Connection, set_aside: Sequence[Path]) -> int:
    """Gives how many pictures were found. Called inside a transaction on an empty journal."""
    for file in set_aside:
        _copy_rows(connection, file)
    return reindex(results, connection)


def reindex(results: Results, connection: Connection) -> int:
    """Adds rows for pictures in the results folder that the journal lacks; gives how many have a sidecar.

    Rows that are there are left alone.
    """
    known_uids = set(connection.execute(select(picture.c.uid)).scalars())
    files = set(connection.execute(select(result.c.name)).scalars())
    found: set[str] = set()
    added: dict[str, float] = {}
    for name, size, pictures in results.walk():
        newest = 0.0
        unknown: list[dict[str, Any]] = []
        for facts in pictures:
            try:
                values = sidecar.row_of(connection, facts, name)
            except (KeyError, TypeError, ValueError, RecursionError):
                continue
            found.add(values["uid"])
            newest = max(newest, values["ended"])
            if values["uid"] not in known_uids:
                known_uids.add(values["uid"])
                unknown.append(values)
        if unknown:  # in one statement: a sidecar may list thousands, which take minutes one by one
            connection.execute(insert(picture), unknown)
        # Sidecars don't say whether a run has read it. It counts as read, or it would be kept for 30 days more.
        times = {"created": newest, "used": newest, "read": newest}
        if name not in files:
            files.add(name)
            added[name] = newest
            connection.execute(insert(result).values(name=name, bytes=size, format=name.rpartition(".")[2], **times))
        elif newest > added.get(name, newest):  # the sidecar of another picture with the same bytes
            added[name] = newest
            connection.execute(update(result).where(result.c.name == name).values(**times))
    return len(found)


def _copy_rows(connection: Connection, file: Path) -> None:
    """Copies the rows that can be read: open tasks and what was spent are in no sidecar."""
    try:
        source = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return
    source.row_factory = sqlite3.Row
    try:
        for table, key in ((graph, "id"), (picture, "uid")):
            keys = {column.name: column.key for column in table.columns}
            count = 0
            try:
                for row in source.execute(f"SELECT * FROM {table.name}"):
                    values: dict[str, Any] = {keys[name]: row[name] for name in row.keys() if name in keys}  # noqa: SIM118
                    if not values.get(key):
                        continue
                    with connection.begin_nested():
                        connection.execute(insert(table).values(**values))
                    count += 1
            except Exception as error:  # a damaged page may raise anything; the rows so far are kept
                log.warning("the rest of the table %s could not be read: %s", table.name, error)
            log.info("%d rows of the table %s were taken over from %s", count, table.name, file.name)
    finally:
        source.close()
