"""How long the journal takes to answer for a picture among 50,000 rows, and to write one down.

Run by `dev.py bench`. The bar is a millisecond for an answer.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from measuring import Table
from pack.core.execution.charge import decide_stalled_row
from pack.core.ledger import Caps, Reservation, RunContext
from pack.core.ledger.journal import Journal
from pack.core.ledger.schema import picture, result
from sqlalchemy import insert

ROWS = 50_000
ROUNDS = 300


def filled(home: Path) -> Journal:
    """A journal with that many stored pictures; only every hundredth has a file, to keep the disk out of it."""
    journal = Journal(home, decide_stalled=decide_stalled_row)
    journal.look_up(["begin"])
    now = time.time()
    rows, files = [], []
    for number in range(ROWS):
        name = f"{number:064x}.png"
        if number % 100 == 0:
            path = journal.results.path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        facts = {
            "uid": f"{number:032x}",
            "fingerprint": f"v1:{number:064x}",
            "state": "stored",
            "prompt": "a fox " * 20,
        }
        rows.append(facts | {"result": name, "created": now - number, "counted": 134_000, "expected": 134_000})
        files.append({"name": name, "bytes": 1, "created": now, "used": now, "read": now})
    with journal.database.write() as connection:
        connection.execute(insert(picture), rows)
        connection.execute(insert(result), files)
    return journal


def main() -> int:
    table = Table(f"the journal with {ROWS:,} rows")
    with tempfile.TemporaryDirectory() as folder:
        journal = filled(Path(folder))
        hits, opens = [], []
        for number in range(ROUNDS):
            begun = time.perf_counter()
            found = journal.look_up([f"v1:{number * 100:064x}"])
            hits.append((time.perf_counter() - begun) * 1000)
            assert found
            name = f"v1:new{number}"
            entry = Reservation(
                name, (name,), "onerouter", "m", "default", "generate", "p", "https://x.example", 134_000
            )
            begun = time.perf_counter()
            journal.reserve([entry], RunContext(name), Caps(5.0, 1e9, 1e9))
            opens.append((time.perf_counter() - begun) * 1000)
        table.line("a fingerprint answered", statistics.median(hits), 1.0, " ms")
        table.line("a reservation with caps over all rows", statistics.median(opens), 40.0, " ms")
        journal.close()
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
