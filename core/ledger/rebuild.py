"""Fills an empty journal from what is left of an older one: rows that can still be read, then the results' sidecars."""

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


def rebuild(results: Results, connection: Connection, aside: Sequence[Path]) -> int:
    """Gives how many pictures are known again. Called inside a transaction on an empty journal."""
    for file in aside:
        _salvage(connection, file)
    return reindex(results, connection)


def reindex(results: Results, connection: Connection) -> int:
    """Brings the journal up to what lies in the results' folder: files it doesn't know are added, others are left alone."""
    known = set(connection.execute(select(picture.c.uid)).scalars())
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
            if values["uid"] not in known:
                known.add(values["uid"])
                unknown.append(values)
        if unknown:  # all at once: one by one, the thousands that a sidecar may list take minutes
            connection.execute(insert(picture), unknown)
        # Whether somebody has seen it isn't known any more; that counts as seen, or it could never be let go.
        times = {"created": newest, "used": newest, "read": newest}
        if name not in files:
            files.add(name)
            added[name] = newest
            connection.execute(insert(result).values(name=name, bytes=size, format=name.rpartition(".")[2], **times))
        elif newest > added.get(name, newest):  # the sidecar of another picture with the same bytes
            added[name] = newest
            connection.execute(update(result).where(result.c.name == name).values(**times))
    return len(found)


def _salvage(connection: Connection, file: Path) -> None:
    """Copies the rows that can still be read: tasks that are out, and what was spent, are in no sidecar."""
    try:
        source = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return
    source.row_factory = sqlite3.Row
    try:
        for table, key in ((graph, "id"), (picture, "uid")):
            count = 0
            try:
                for row in source.execute(f"SELECT * FROM {table.name}"):
                    values: dict[str, Any] = {name: row[name] for name in row.keys() if name in table.columns}  # noqa: SIM118
                    if not values.get(key):
                        continue
                    with connection.begin_nested():
                        connection.execute(insert(table).values(**values))
                    count += 1
            except Exception as error:  # whatever a damaged page leads to: what was read so far is kept
                log.warning("the rest of the table %s could not be read: %s", table.name, error)
            log.info("%d rows of the table %s were taken over from %s", count, table.name, file.name)
    finally:
        source.close()
