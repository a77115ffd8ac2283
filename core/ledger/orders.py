"""The open orders in the journal: pictures that were ordered together, are made later and collected without a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from . import queries
from .database import Database
from .schema import picture
from .types import OPEN_STATES, dollars


@dataclass(frozen=True)
class OpenOrder:
    """An order whose pictures are not all here."""

    id: str
    provider: str
    model: str
    """Wire model id."""
    profile: str
    operation: str
    address: str
    """The base URL it was sent to."""
    task: str
    """What the provider calls it, "" while it isn't known whether it was taken."""
    pictures: int
    """How many are still to come."""
    usd: float
    """What those count as."""
    created: float
    """Unix time."""


def ordered(database: Database, fingerprints: Sequence[str]) -> set[str]:
    """Those of the pictures that are in an open order."""
    with database.read() as connection:
        rows = queries.by_fingerprints(connection, fingerprints)
    return {row.fingerprint for row in rows if queries.is_order(row) and row.state in OPEN_STATES}


def open_orders(database: Database, order: str = "") -> list[OpenOrder]:
    """The orders that pictures are still to come of, the oldest first. `order`: only the one with that id."""
    columns = (
        picture.c.call,
        picture.c.provider,
        picture.c.model,
        picture.c.profile,
        picture.c.operation,
        picture.c.address,
    )
    is_open = (picture.c.delivery == "batch") & picture.c.state.in_(OPEN_STATES) & (picture.c.call != "")
    statement = select(
        *columns,
        func.count().label("pictures"),
        func.sum(picture.c.counted).label("counted"),
        func.min(picture.c.created).label("created"),
        func.max(picture.c.task).label("task"),
    ).where(is_open)
    if order:
        statement = statement.where(picture.c.call == order)
    with database.read() as connection:
        rows = connection.execute(statement.group_by(*columns).order_by(func.min(picture.c.created))).all()
    return [
        OpenOrder(
            row.call,
            row.provider,
            row.model,
            row.profile,
            row.operation,
            row.address,
            queries.task_id(row.task),
            row.pictures,
            dollars(int(row.counted)),
            row.created,
        )
        for row in rows
    ]
