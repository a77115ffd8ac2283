"""Fills an empty journal: first with the rows that can be read from a file that was set aside, then from the sidecars."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from sqlalchemy import Column, Connection, Float, Integer, LargeBinary, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from . import sidecar
from .results import NAME, UID, Results
from .schema import graph, picture, result
from .types import State

log = logging.getLogger("nano_banana")

_LARGEST = 10_000_000 * 1_000_000
"""The largest plausible price, in millionths of a dollar."""


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
    source.text_factory = lambda data: data.decode("utf-8", "replace")  # one broken text must not end the reading
    try:
        for table in (graph, picture):
            count = 0
            try:
                for row in source.execute(f"SELECT * FROM {table.name}"):
                    values = _plausible(table, dict(zip(row.keys(), row, strict=True)))
                    if values is None:
                        continue
                    try:
                        with connection.begin_nested():
                            connection.execute(insert(table).values(**values))
                    except IntegrityError:
                        continue  # damaged pages may hold a row twice
                    count += 1
            except Exception as error:  # a damaged page may raise anything; the rows so far are kept
                log.warning("the rest of the table %s could not be read: %s", table.name, error)
            log.info("%d rows of the table %s were taken over from %s", count, table.name, file.name)
    finally:
        source.close()


def _plausible(table: Table, row: dict[str, Any]) -> dict[str, Any] | None:
    """The values of a row by the keys of the columns; None for a row without a valid id or state.

    A value that its column can't have is left to the column's default.
    """
    values = {column.key: row[column.name] for column in table.columns if _fits(column, row.get(column.name))}
    if table is graph:
        return values if {"id", "data"} <= values.keys() else None
    if not UID.fullmatch(values.get("uid", "")) or values.get("state") not in get_args(State):
        return None
    if values.get("result") and not NAME.fullmatch(values["result"]):
        del values["result"]
    return values


def _fits(column: Column[Any], value: Any) -> bool:
    if isinstance(column.type, LargeBinary):
        return isinstance(value, bytes)
    if isinstance(column.type, Float):
        return isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    if isinstance(column.type, Integer):
        return isinstance(value, int) and 0 <= value <= _LARGEST  # a negative price would lift the caps
    return isinstance(value, str)
