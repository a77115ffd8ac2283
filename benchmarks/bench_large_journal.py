"""The journal with a million rows, in a SQLite file and on a PostgreSQL server: a look-up, and a reservation with all caps.

Run by `dev.py bench`. The bars are 1 ms for a look-up and 10 ms for a reservation, by the medians. The fastest tenth, the time
on the processor and the number of statements say what the journal itself takes on a machine that is busy. The server is the
machine's own package, started in a temporary folder with a commit that waits for the disk.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import ROOT, Table
from pack.core.execution.charge import decide_stalled_row
from pack.core.ledger import Caps, Reservation, RunContext
from pack.core.ledger.journal import Journal
from pack.core.ledger.postgres_address import PostgresAddress
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Engine

sys.path.insert(0, str(ROOT / "tests" / "unit"))
import postgres_server  # noqa: E402

ROWS = 1_000_000
ROUNDS = 100
DAYS = 20.0

_PADDED = {"sqlite": "substr('{zeros}' || i, -{width})", "postgresql": "lpad(i::text, {width}, '0')"}
_FILL = """
WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < {last})
INSERT INTO picture (uid, fingerprint, state, run, prompt, result, created, counted, expected)
SELECT {uid}, 'v1:' || i, 'stored', 'run ' || i / 4, 'a fox in the snow ' || i, {name} || '.png',
CAST({now} - i * {step} AS FLOAT), 134000, 134000 FROM numbers
"""


class Times:
    """Milliseconds of each round, in all and on the processor, and how many statements it took."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self._cpu: list[float] = []
        self._statements = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        event.listen(Engine, "before_cursor_execute", self._count)
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        self._cpu.append((time.thread_time() - cpu) * 1000)
        self.wall.append((time.perf_counter() - wall) * 1000)
        event.remove(Engine, "before_cursor_execute", self._count)

    @property
    def note(self) -> str:
        fastest = sorted(self.wall)[len(self.wall) // 10]
        processor = statistics.median(self._cpu)
        return f"fastest tenth {fastest:.2f} ms, processor {processor:.2f} ms, {self._statements // ROUNDS} statements"

    def _count(self, *arguments: object) -> None:
        self._statements += 1


def fill(connection: Connection) -> None:
    """A million stored pictures, made over the last twenty days."""
    padded = _PADDED[connection.dialect.name]
    uid, name = (padded.format(zeros="0" * width, width=width) for width in (32, 64))
    step = DAYS * 86400 / ROWS
    connection.execute(text(_FILL.format(last=ROWS - 1, uid=uid, name=name, now=time.time(), step=step)))


def measure(table: Table, journal: Journal, where: str) -> None:
    begun = time.perf_counter()
    with journal.database.write() as connection:
        fill(connection)
    if where == "PostgreSQL":
        with journal.database.read() as connection:
            connection.execute(text("VACUUM ANALYZE"))
    print(f"{ROWS:,} rows were written in {time.perf_counter() - begun:.0f} s")
    look_ups, reservations, disk = Times(), Times(), list[float]()
    for number in range(ROUNDS):
        row = number * (ROWS // ROUNDS)
        path = journal.results.path(f"{row:064d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        with look_ups.one():
            found = journal.look_up([f"v1:{row}"])
        assert found
        name = f"v1:new{number}"
        entry = Reservation(name, (name,), "onerouter", "m", "default", "generate", "p", "https://x.example", 134_000)
        with reservations.one():
            journal.reserve([entry], RunContext(name), Caps(5.0, 1e6 - 1, 1e6 - 1))
        disk.append(written_to_disk(journal.home / "disk"))
    for name, times, bar in (
        ("a fingerprint answered", look_ups, 1.0),
        ("a reservation with three caps", reservations, 10.0),
    ):
        table.line(f"{where}: {name}", statistics.median(times.wall), bar, " ms", note=times.note)
    print(
        f"A page that is written to this disk and waited for takes {statistics.median(disk):.2f} ms; a commit has one."
    )
    journal.close()


def written_to_disk(file: Path) -> float:
    """Milliseconds until a page at the end of a file is on the disk: a commit can't be faster."""
    with file.open("ab", buffering=0) as stream:
        begun = time.perf_counter()
        stream.write(bytes(4096))
        os.fsync(stream.fileno())
        return (time.perf_counter() - begun) * 1000


def main() -> int:
    table = Table(f"the journal with {ROWS:,} rows")
    with tempfile.TemporaryDirectory() as folder:
        measure(table, Journal(Path(folder), decide_stalled=decide_stalled_row), "SQLite")
    if why := postgres_server.missing():
        print(f"skipped: PostgreSQL ({why})")
        return table.end()
    with tempfile.TemporaryDirectory() as folder:
        server = postgres_server.PostgresServer(fsync=True)
        try:
            address = PostgresAddress("the benchmark", server.url())
            measure(table, Journal(Path(folder), decide_stalled=decide_stalled_row, address=address), "PostgreSQL")
        finally:
            server.stop()
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
