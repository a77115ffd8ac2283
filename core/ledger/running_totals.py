"""Sums of what pictures count as, kept by the database itself, so that a cap is checked without reading every row.

Triggers add each change of a row to the sum of its quarter of an hour, so that no writer can forget it. The offset of every
time zone from UTC is a multiple of a quarter of an hour: a day and a month begin with one.
"""

from __future__ import annotations

from sqlalchemy import Connection

BUCKET_SECONDS = 900

_SUMS = f"""
INSERT INTO spending (bucket, micros)
SELECT CAST(FLOOR(created / {BUCKET_SECONDS}) AS BIGINT), SUM(counted) FROM picture WHERE counted <> 0 GROUP BY 1
"""
_SQLITE_SUMS = _SUMS.replace("FLOOR(", "(")  # a cast cuts towards zero there, and FLOOR may be missing

_SQLITE_ADD = f"""
INSERT OR IGNORE INTO spending (bucket, micros) VALUES (CAST({{row}}.created / {BUCKET_SECONDS} AS INTEGER), 0);
UPDATE spending SET micros = micros {{sign}} {{row}}.counted
WHERE bucket = CAST({{row}}.created / {BUCKET_SECONDS} AS INTEGER);
"""
_SQLITE_ADDED = _SQLITE_ADD.format(row="NEW", sign="+")
_SQLITE_REMOVED = _SQLITE_ADD.format(row="OLD", sign="-")
_SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS picture_spending_{name} AFTER {change} ON picture WHEN {applies} BEGIN {body} END"
    for name, change, applies, body in (
        ("insert", "INSERT", "NEW.counted <> 0", _SQLITE_ADDED),
        ("delete", "DELETE", "OLD.counted <> 0", _SQLITE_REMOVED),
        (
            "update",
            "UPDATE OF counted, created",
            "NEW.counted <> OLD.counted OR NEW.created <> OLD.created",
            _SQLITE_REMOVED + _SQLITE_ADDED,
        ),
    )
)
_POSTGRES_ADD = f"""
INSERT INTO spending AS sums (bucket, micros) VALUES (FLOOR({{row}}.created / {BUCKET_SECONDS}), {{sign}}{{row}}.counted)
ON CONFLICT (bucket) DO UPDATE SET micros = sums.micros + EXCLUDED.micros;
"""
_POSTGRES = (
    f"""
CREATE OR REPLACE FUNCTION picture_spending() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.counted <> 0 THEN {_POSTGRES_ADD.format(row="OLD", sign="-")} END IF;
    IF TG_OP <> 'DELETE' AND NEW.counted <> 0 THEN {_POSTGRES_ADD.format(row="NEW", sign="")} END IF;
    RETURN NULL;
END
$body$""",
    "DROP TRIGGER IF EXISTS picture_spending ON picture",
    "CREATE TRIGGER picture_spending AFTER INSERT OR DELETE OR UPDATE OF counted, created ON picture "
    "FOR EACH ROW EXECUTE FUNCTION picture_spending()",
)


def create(connection: Connection) -> None:
    """Fills the table `spending` with the sums of the rows that are there, and creates the triggers."""
    on_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("DELETE FROM spending")
    for statement in (_SQLITE_SUMS, *_SQLITE) if on_sqlite else (_SUMS, *_POSTGRES):
        connection.exec_driver_sql(statement)
