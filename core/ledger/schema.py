"""The journal's tables, and the steps that upgrade an older file.

SQLAlchemy Core with plain types, so that other databases are possible. Money is in whole millionths of a dollar, times are Unix
seconds, texts are "" and never null.
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

from . import running_totals

metadata = MetaData()


class SurrogateSafeText(TypeDecorator[str]):
    """Text of any origin. A lone surrogate, which JSON can carry and UTF-8 can't, is written as a question mark; so is a NUL
    where the database can't keep one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is None:
            return value
        if dialect.name == "postgresql":
            value = value.replace("\0", "?")
        return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _text_column(name: str, key: str = "") -> Column[str]:
    """`key`: its name in code, where that is another one than in the file."""
    return Column(name, SurrogateSafeText, key=key or name, nullable=False, default="", server_default="")


def _integer_column(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0, server_default="0")


def _time_column(name: str, key: str = "") -> Column[float]:
    """0 = not yet. `key`: its name in code, where that is another one than in the file."""
    return Column(name, Float, key=key or name, nullable=False, default=0.0, server_default="0")


picture = Table(
    "picture",
    metadata,
    Column("uid", String(32), primary_key=True),
    _text_column("fingerprint"),
    Column("state", String(16), nullable=False),
    _text_column("owner"),
    _text_column("call"),
    Column("place", Integer, key="index_in_call", nullable=False, default=0, server_default="0"),
    _text_column("run"),
    _text_column("node"),
    _text_column("operation"),
    _text_column("provider"),
    _text_column("model"),
    _text_column("profile"),
    _text_column("project"),
    _text_column("address"),
    _text_column("prompt"),
    _text_column("text"),
    _text_column("task"),
    _text_column("url"),
    _text_column("request_id"),
    _integer_column("expected"),
    Column("charged", BigInteger, nullable=True),
    _integer_column("counted"),
    _integer_column("attempts"),
    _text_column("reason"),
    _time_column("created"),
    _time_column("sent"),
    _time_column("ended"),
    _time_column("told", "notified"),
    _text_column("told_run", "notified_run"),
    _time_column("waived", "acknowledged"),
    _text_column("graph"),
    _text_column("result"),
    _text_column("role"),
    _text_column("notices"),
    _time_column("favourite"),
    _text_column("sources"),
    _text_column("delivery"),
    _text_column("reason_message"),
    _text_column("agreed_run"),
    Index("picture_by_fingerprint", "fingerprint"),
    Index("picture_by_owner", "owner"),
    Index("picture_by_call", "call"),
    Index("picture_by_result", "result"),
    Index("picture_by_run", "run", "counted"),
    Index("picture_by_time", "created", "counted"),
    Index("picture_by_favourite", "favourite"),
    Index("picture_by_delivery", "delivery", "state"),
)
"""One row per picture and request for it. Where a column has another name in the file, `Column.key` is the one in code.

index_in_call  position of the picture within its call, from 0
owner          id of the process that works on it, "" for none (`liveness`)
expected       its price by the list, or the highest known one
charged        the price that the provider names; null where it names none
counted        what it counts as in sums and caps: 0 once it surely cost nothing
notified       when, and in which run (notified_run), the user read that it may have been charged
agreed_run     the only run that may send it again without asking, where the user agreed to that run; "" for any run
acknowledged   when the user agreed to that and asked again: from then on it is no longer asked about
result         file name of its bytes
role           "" for a requested picture, "extra" for a further one of the same answer, "draft" for one that the model drew
               while thinking: it belongs to the requested picture, and no list shows it
notices        a JSON list of what the user reads whenever the picture is used
favourite      when the user marked it, 0 = not marked
sources        a JSON list of the pages that a web search leaned on, as [title, address]
delivery       "batch" for a picture of an order, which is made later at a lower price (`call` is the order), else ""
reason_message what `reason` is made of, as JSON (`errors.messages.as_data`); "" where it is a text alone
"""

result = Table(
    "result",
    metadata,
    Column("name", String(80), primary_key=True),
    _integer_column("bytes"),
    _text_column("format"),
    _time_column("created"),
    _time_column("used"),
    _time_column("read"),
    Index("result_by_use", "used"),
)
"""One row per file. `used`: when it was stored or last reached a graph. `read`: when it last reached one, 0 = never."""

graph = Table(
    "graph", metadata, Column("id", String(64), primary_key=True), Column("data", LargeBinary, nullable=False)
)
"""Workflows, each once, as compressed JSON."""

spending = Table(
    "spending",
    metadata,
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    _integer_column("micros"),
)
"""What the pictures count as that were created in one quarter of an hour, numbered from 1970; kept by triggers
(`running_totals`)."""

worker = Table(
    "worker",
    metadata,
    Column("id", String(32), primary_key=True),
    _text_column("name"),
    _time_column("connected"),
    _time_column("missed"),
)
"""The processes that share a journal on a server, when they connected last, and since when another one misses their lock, 0 =
not missed. Unused in a file."""


def _create_tables(connection: Connection) -> None:
    metadata.create_all(connection)


def _add_role_and_notices(connection: Connection) -> None:
    """Version 2 has further pictures of an answer, and notices that are kept with a picture."""
    _add_columns(connection, _TEXT, picture.c.role, picture.c.notices)


def _add_favourite(connection: Connection) -> None:
    """Version 3 has the user's mark."""
    _add_columns(connection, _TIME, picture.c.favourite)
    _create_index(connection, "picture_by_favourite")


def _add_sources(connection: Connection) -> None:
    """Version 4 keeps the pages that a web search leaned on."""
    _add_columns(connection, _TEXT, picture.c.sources)


def _add_delivery(connection: Connection) -> None:
    """Version 5 has pictures of an order."""
    _add_columns(connection, _TEXT, picture.c.delivery)
    _create_index(connection, "picture_by_delivery")


def _create_index(connection: Connection, name: str) -> None:
    next(index for index in picture.indexes if index.name == name).create(connection, checkfirst=True)


def _add_running_totals_and_workers(connection: Connection) -> None:
    """Version 6 has the sums that caps are checked against, and the processes of a farm."""
    spending.create(connection, checkfirst=True)
    worker.create(connection, checkfirst=True)
    running_totals.create(connection)


def _add_reason_message(connection: Connection) -> None:
    """Version 7 keeps what a reason is made of, so that a page says it in its own language."""
    _add_columns(connection, _TEXT, picture.c.reason_message)


def _add_missed(connection: Connection) -> None:
    """Version 8 knows since when a process of a farm is missed."""
    _add_columns(connection, _TIME, worker.c.missed)


def _add_agreed_run(connection: Connection) -> None:
    """Version 9 knows which run an agreement to pay again is for."""
    _add_columns(connection, _TEXT, picture.c.agreed_run)


_TEXT, _TIME = "TEXT NOT NULL DEFAULT ''", "FLOAT NOT NULL DEFAULT 0"


def _add_columns(connection: Connection, definition: str, *columns: Column[Any]) -> None:
    table = columns[0].table.name
    present = {column["name"] for column in inspect(connection).get_columns(table)}
    for column in columns:
        if column.name not in present:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column.name} {definition}")


STEPS: list[Callable[[Connection], None]] = [
    _create_tables,
    _add_role_and_notices,
    _add_favourite,
    _add_sources,
    _add_delivery,
    _add_running_totals_and_workers,
    _add_reason_message,
    _add_missed,
    _add_agreed_run,
]
"""Step i upgrades version i to version i + 1. Steps are only added."""


def newest() -> int:
    return len(STEPS)
