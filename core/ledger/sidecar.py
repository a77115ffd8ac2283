"""Converts a row of a stored picture into the facts of its sidecar, and back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from . import queries, workflows
from .results import UID
from .schema import graph
from .types import dollars, micros

MAX_USD = 10.0
"""The highest price that is accepted: others may be able to write sidecars."""
ROLES = ("", "extra", "draft")
_MAX_TEXT = {"prompt": 1_000_000, "text": 1_000_000, "notices": 100_000, "sources": 100_000}
_TIMES = ("created", "sent", "ended", "favourite")
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
    "favourite",
    "sources",
)


def facts_of(connection: Connection, row: Row[Any]) -> tuple[dict[str, Any], str]:
    """The facts of a stored picture for its sidecar, and its graph as JSON ("" for none).

    They hold no secret, and all that is needed to rebuild the row.
    """
    facts: dict[str, Any] = {name: getattr(row, name) for name in _COPIED}
    facts["usd_expected"] = dollars(row.expected)
    facts["usd_charged"] = None if row.charged is None else dollars(row.charged)
    data = connection.execute(select(graph.c.data).where(graph.c.id == row.graph)).scalar() if row.graph else None
    return facts, workflows.unpack_json(data) if data else ""


def row_of(connection: Connection, facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values of a row, from the facts of a sidecar. Raises KeyError, TypeError or ValueError for invalid ones."""
    values: dict[str, Any] = {}
    for column in _COPIED:
        values[column] = _time(facts.get(column)) if column in _TIMES else _text(facts.get(column), column)
    if not UID.fullmatch(values["uid"]) or not values["fingerprint"]:
        raise ValueError("a picture without a uid or fingerprint")
    if values["role"] not in ROLES:
        raise ValueError("an unknown role")
    expected = micros(_dollars(facts.get("usd_expected") or 0))
    charged = None if facts.get("usd_charged") is None else _dollars(facts["usd_charged"])
    values |= {
        "state": "stored",
        "result": name,
        "expected": expected,
        "charged": None if charged is None else micros(charged),
        "counted": expected if charged is None else micros(charged),
    }
    identity, data = workflows.pack(facts.get("graph"), untrusted=True)
    queries.insert_graph(connection, identity, data)
    values["graph"] = identity
    return values


def _text(value: Any, column: str) -> str:
    """Raises ValueError for what is no text, or too long."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_TEXT.get(column, 1000):
        raise ValueError(f"{column} is no text")
    return value


def _time(value: Any) -> float:
    """A Unix time that is not in the future; 0 for any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    # Compared before it is converted: an integer of hundreds of digits is no float.
    return float(value) if 0 <= value <= time.time() + 86400 else 0.0


def _dollars(value: Any) -> float:
    """A plausible price. Raises ValueError for any other: a negative one would lift the caps."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a price that is no number")
    if not 0 <= value <= MAX_USD:
        raise ValueError("a price that can't be one")
    return float(value)
