"""The journal's tables and how an older file becomes a newer one.

Written with SQLAlchemy Core and plain types, so that another database can follow. Money is whole millionths of a dollar,
times are Unix seconds, texts are "" and never null.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    inspect,
)

metadata = MetaData()


class SurrogateSafeText(TypeDecorator[str]):
    """Text from anywhere. Half a character, which JSON can carry and UTF-8 can't, is written as a question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value if value is None or value.isascii() else value.encode("utf-8", "replace").decode()


def _text(name: str) -> Column[str]:
    return Column(name, SurrogateSafeText, nullable=False, default="", server_default="")


def _whole(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0, server_default="0")


def _time(name: str) -> Column[float]:
    """0 = not yet."""
    return Column(name, Float, nullable=False, default=0.0, server_default="0")


picture = Table(
    "picture",
    metadata,
    Column("uid", String(32), primary_key=True),
    _text("fingerprint"),
    Column("state", String(16), nullable=False),
    _text("owner"),
    _text("call"),
    Column("place", Integer, nullable=False, default=0, server_default="0"),
    _text("run"),
    _text("node"),
    _text("operation"),
    _text("provider"),
    _text("model"),
    _text("profile"),
    _text("project"),
    _text("address"),
    _text("prompt"),
    _text("text"),
    _text("task"),
    _text("url"),
    _text("request_id"),
    _whole("expected"),
    Column("charged", BigInteger, nullable=True),
    _whole("counted"),
    _whole("attempts"),
    _text("reason"),
    _time("created"),
    _time("sent"),
    _time("ended"),
    _time("told"),
    _text("told_run"),
    _time("waived"),
    _text("graph"),
    _text("result"),
    _text("role"),
    _text("notices"),
    Index("picture_by_fingerprint", "fingerprint"),
    Index("picture_by_owner", "owner"),
    Index("picture_by_call", "call"),
    Index("picture_by_result", "result"),
    Index("picture_by_run", "run", "counted"),
    Index("picture_by_time", "created", "counted"),
)
"""One row per picture that was asked for, each time it was.

expected   its price by the list, or the dearest known one
charged    what the provider says it cost; null where it doesn't say
counted    what it counts as in sums and caps: 0 once it is sure that it cost nothing
told       when, and in which run, the user was told that it may have been paid
waived     when the user asked again all the same: from then on it no longer stands in the way
result     file name of its bytes
role       "" for a picture that was asked for, "extra" for one that came beside it
notices    a JSON list of what the user has to know about the picture, whenever it is taken
"""

result = Table(
    "result",
    metadata,
    Column("name", String(80), primary_key=True),
    _whole("bytes"),
    _text("format"),
    _time("created"),
    _time("used"),
    _time("read"),
    Index("result_by_use", "used"),
)
"""One row per file. `read`: when a run first took it, 0 = nobody has seen it yet."""

graph = Table(
    "graph", metadata, Column("id", String(64), primary_key=True), Column("data", LargeBinary, nullable=False)
)
"""Workflows, each once, as compressed JSON."""


def _first(connection: Connection) -> None:
    metadata.create_all(connection)


def _second(connection: Connection) -> None:
    """Version 2 has pictures that nobody asked for, and notices that stay with a picture."""
    known = {column["name"] for column in inspect(connection).get_columns(picture.name)}
    for column in (picture.c.role, picture.c.notices):
        if column.name not in known:
            connection.exec_driver_sql(f"ALTER TABLE {picture.name} ADD COLUMN {column.name} TEXT NOT NULL DEFAULT ''")


STEPS: list[Callable[[Connection], None]] = [_first, _second]
"""Step i makes version i + 1 out of version i. Steps are only ever added."""


def newest() -> int:
    return len(STEPS)
