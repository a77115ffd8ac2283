"""A picture's facts as its sidecar has them, and back into a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from . import graphs, rows
from .record import dollars, micros
from .schema import graph

_COPIED = (
    "uid",
    "fingerprint",
    "operation",
    "provider",
    "model",
    "profile",
    "project",
    "run",
    "node",
    "prompt",
    "text",
    "request_id",
    "created",
    "sent",
    "ended",
    "role",
    "notices",
)


def facts(connection: Connection, row: Row[Any]) -> tuple[dict[str, Any], str]:
    """What the sidecar says about a stored picture, and its graph as JSON ("" for none): nothing secret, and all that the
    journal needs to have it again."""
    found: dict[str, Any] = {name: getattr(row, name) for name in _COPIED}
    found["usd_expected"] = dollars(row.expected)
    found["usd_charged"] = None if row.charged is None else dollars(row.charged)
    data = connection.execute(select(graph.c.data).where(graph.c.id == row.graph)).scalar() if row.graph else None
    return found, graphs.unpacked_json(data) if data else ""


def row_of(connection: Connection, found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values of a row, out of a sidecar. Raises KeyError, TypeError or ValueError for one that makes no sense."""
    values: dict[str, Any] = {}
    for column in _COPIED:
        wanted = float if column in ("created", "sent", "ended") else str
        values[column] = wanted(found.get(column) or wanted())
    if not values["uid"] or not values["fingerprint"]:
        raise ValueError("a picture without a name")
    expected = micros(float(found.get("usd_expected") or 0))
    charged = found.get("usd_charged")
    values |= {
        "state": "stored",
        "result": name,
        "expected": expected,
        "charged": None if charged is None else micros(float(charged)),
        "counted": expected if charged is None else micros(float(charged)),
    }
    identity, data = graphs.packed(found.get("graph"))
    rows.keep_graph(connection, identity, data)
    values["graph"] = identity
    return values
