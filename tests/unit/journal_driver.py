"""Reservations for the tests, and other processes on the same journal that can be killed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pack.core.execution.charge import decide_stalled_row
from pack.core.images.picture import encode
from pack.core.ledger import Caps, Reservation, RunContext
from pack.core.ledger.journal import Journal
from pack.core.ledger.postgres_address import PostgresAddress
from python_process import PythonProcess

SERVER = "TEST_POSTGRES_SERVER"
"""The folder with the socket of a server. Where it is set, journals are kept there, one schema for each data folder."""
IN_A_FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For tests of what only a file has."""
FREE = Caps(None, None, None)

_CHILD = "from journal_driver import *\njournal = open_journal(Path(sys.argv[2]))\n"


def open_journal(home: Path, **more: Any) -> Journal:
    return Journal(home, decide_stalled=decide_stalled_row, **({"address": address_of(home)} | more))


def address_of(home: Path) -> PostgresAddress | None:
    """Where the journal of a data folder is kept; None = in the folder."""
    folder = os.environ.get(SERVER)
    if not folder:
        return None
    schema = _schema_of(home)
    on_server(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    address = f"postgresql+psycopg://farm@/postgres?host={folder}&options=-csearch_path%3D{schema}"
    return PostgresAddress("the test", address)


def environ_of(home: Path) -> dict[str, str]:
    """The environment variable with that address, for an engine; none where the journal is in the folder."""
    address = address_of(home)
    return {"NANO_BANANA_JOURNAL": address.text} if address else {}


def lose_journal(home: Path) -> None:
    """The journal of a closed data folder is gone; its results stay."""
    if os.environ.get(SERVER):
        on_server(f"DROP SCHEMA {_schema_of(home)} CASCADE")
    for file in home.glob("journal.sqlite*"):
        file.unlink()


def on_server(statement: str) -> list[tuple[Any, ...]]:
    """Runs a statement on the tests' server; gives its rows."""
    import psycopg

    with psycopg.connect(
        host=os.environ[SERVER], user="farm", dbname="postgres", autocommit=True, connect_timeout=10
    ) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _schema_of(home: Path) -> str:
    return "j" + hashlib.sha256(str(home).encode()).hexdigest()[:16]


def png(number: int) -> bytes:
    """A small picture, different for each number."""
    return encode(np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8), "png")


def entry(name: str = "v1:a", micros: int = 134_000, **changes: Any) -> Reservation:
    facts: dict[str, Any] = {
        "fingerprint": name,
        "all_fingerprints": (name,),
        "provider": "onerouter",
        "model": "google/nano-banana-2",
        "profile": "default",
        "operation": "generate",
        "prompt": "a fox",
        "address": "http://127.0.0.1:1",
        "micros": micros,
    }
    return Reservation(**(facts | changes))


def run_context(run: str = "run", **changes: Any) -> RunContext:
    return RunContext(run, **changes)


def claim_one(journal: Journal, name: str = "v1:a", run: str = "run", **more: Any) -> str:
    """Reserves one picture; gives its status."""
    return journal.reserve([entry(name)], run_context(run), FREE, **more).statuses[name]


def until(holds: Callable[[], object], what: str = "it never came", seconds: float = 60) -> None:
    """Waits for something that comes by itself. `what`: the message where it doesn't come in so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def another_process(home: Path, script: str) -> PythonProcess:
    """Starts a process that runs `script` with a `journal` on `home`, and waits for its first line."""
    process = PythonProcess(_CHILD + script, str(home))
    process.first = process.stdout.readline().strip()
    return process


def die(process: PythonProcess) -> None:
    process.close()
    if os.environ.get(SERVER):  # it has to notice that the connection ended
        sessions = f"SELECT 1 FROM pg_stat_activity WHERE application_name = 'nano_banana {process.pid}'"
        while on_server(sessions):
            time.sleep(0.01)
