"""Feeds the reader of journals that were set aside: damaged, of a later version, or with values that no column can have.

An input is the SQLite file itself, or JSON: the rows of one, from which the file is made.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import sqlite3
from collections.abc import Sequence
from random import Random
from typing import Any, get_args

import inputs
from folders import folder
from harness import Harness
from pack.core.ledger.rebuild import rebuild
from pack.core.ledger.results import NAME, UID, Results
from pack.core.ledger.schema import graph, metadata, picture
from pack.core.ledger.types import State
from sqlalchemy import Float, Integer, LargeBinary, create_engine, select

logging.getLogger("nano_banana").addHandler(logging.NullHandler())  # else each damaged file is printed
_FOLDER = folder("journals")
_FILE = _FOLDER / "journal-20261127-120000.sqlite"
_RESULTS = Results(_FOLDER / "results")
_ENGINE = create_engine("sqlite://", connect_args={"isolation_level": None})
metadata.create_all(_ENGINE)
_TABLES = {table.name: table for table in (graph, picture)}
_MAGIC = b"SQLite format 3\0"
_STATES = get_args(State)
_LARGE = 1 << 62


def run(data: bytes) -> None:
    """Rebuilds an empty journal from the file, and reads every row of it."""
    for file in _FOLDER.glob("journal*"):
        file.unlink()
    whole = set()
    if data.startswith(_MAGIC):
        _FILE.write_bytes(data)
    else:
        whole = _write(data)
    with _ENGINE.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        rebuild(_RESULTS, connection, [_FILE])
        uids = set()
        for row in connection.execute(select(picture)):
            uids.add(row.uid)
            assert UID.fullmatch(row.uid) and row.state in _STATES, "a picture that can't be one"
            assert not row.result or NAME.fullmatch(row.result), "a file outside the results folder"
            _check(picture, row)
        for row in connection.execute(select(graph)):
            _check(graph, row)
        connection.exec_driver_sql("ROLLBACK")
    assert whole <= uids, "a good row is lost"


def _check(table: Any, row: Any) -> None:
    for column in table.columns:
        value = getattr(row, column.key)
        if isinstance(column.type, LargeBinary):
            assert isinstance(value, bytes), "a graph that is no bytes"
        elif isinstance(column.type, Float):
            assert isinstance(value, float) and math.isfinite(value) and value >= 0, "a time that can't be one"
        elif isinstance(column.type, Integer):
            assert value is None or 0 <= value <= 10_000_000_000_000, "a price that can't be one"
        else:
            assert isinstance(value, str), "a text that is none"


def _write(data: bytes) -> set[str]:
    """Makes the file from JSON; gives the uids of the rows whose values are all good."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        rows = None
    connection = sqlite3.connect(_FILE, isolation_level=None)
    good: dict[str, bool] = {}
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        for name, table in _TABLES.items():  # without types and keys, so that any value can be in any column
            connection.execute(f"CREATE TABLE {name} ({', '.join(column.name for column in table.columns)}, later)")
        for row in rows if isinstance(rows, list) else ():
            kind = row.get("table") if isinstance(row, dict) else None
            if not isinstance(kind, str) or kind not in _TABLES:
                continue
            table = _TABLES[kind]
            names = [column.name for column in table.columns if column.name in row]
            values = [_stored(row[name]) for name in names]
            marks = ", ".join("?" * len(names))
            if names:
                connection.execute(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", values)
            if table is picture and isinstance(uid := row.get("uid"), str):
                good[uid] = uid not in good and row == {**_GOOD, "uid": uid} and bool(UID.fullmatch(uid))
        connection.execute("COMMIT")
    finally:
        connection.close()
    return {uid for uid, is_good in good.items() if is_good}


def _stored(value: Any) -> Any:
    """A JSON value as SQLite can hold it; `{"bytes": base64}` is a blob, or a text that is no UTF-8."""
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if abs(value) < _LARGE else float("inf")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict) and isinstance(value.get("bytes"), str):
        try:
            return base64.b64decode(value["bytes"])
        except ValueError:
            return b""
    return json.dumps(value)


_GOOD: dict[str, Any] = {
    "table": "picture",
    "uid": "0123456789abcdef" * 2,
    "fingerprint": "v1:x",
    "state": "accepted",
    "provider": "fal",
    "model": "m",
    "task": '{"task": "t-1"}',
    "expected": 134_000,
    "counted": 134_000,
    "created": 1.7e9,
    "sent": 1.7e9,
    "told": 1.7e9,
    "told_run": "run",
    "place": 1,
    "result": "",
}
_GRAPH: dict[str, Any] = {"table": "graph", "id": "g", "data": {"bytes": "eJyrrgUAAXUA+Q=="}}
_COLUMNS = [column.name for column in picture.columns]
_ODD: tuple[Any, ...] = (-1, -0.5, 10**30, "../../x", "", {"bytes": "/////w=="}, None, "stored", "x" * 70_000, True)


def make(rng: Random) -> bytes:
    rows: list[Any] = []
    for _ in range(rng.randrange(1, 6)):
        row = dict(_GOOD if rng.random() < 0.85 else _GRAPH)
        if row["table"] == "picture":
            row["uid"] = f"{rng.randrange(16**32):032x}"
        for _ in range(rng.choice((0, 0, 1, 2, 4))):
            column = rng.choice(_COLUMNS)
            row[column] = rng.choice((rng.choice(_ODD), rng.choice(inputs.NUMBERS), inputs.value(rng, 3)))
        rows.append(row)
    data = json.dumps(rows).encode()
    if rng.random() < 0.3:
        _FILE.unlink(missing_ok=True)
        _write(data)
        return inputs.mutated_bytes(_FILE.read_bytes(), rng)
    return data


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    if data.startswith(_MAGIC):
        return _MAGIC + inputs.mutated_bytes(data[len(_MAGIC) :], rng, others)
    return inputs.mutated_json(data, rng, others)


HARNESS = Harness("journals", run, make, mutate, ("core/ledger/rebuild.py",), inputs_in_suite=300, examples=30)
