"""A pooler before the server: where it keeps no sessions a lock would belong to any process, and nothing is sent."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from journal_driver import claim_one, open_journal
from pack.core.errors import LedgerFailed
from pack.core.ledger.journal import Journal
from pack.core.ledger.postgres_address import PostgresAddress
from pack.core.ledger.postgres_pooler import keeps_sessions
from postgres_server import PostgresServer

PROGRAM = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
PORT = 6432
SETTINGS = """
[databases]
postgres = host={server} user=farm
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
server_round_robin = {round_robin}
min_pool_size = 3
"""


@pytest.fixture
def pooler(server: PostgresServer) -> Iterator[Callable[..., PostgresAddress]]:
    """Starts PgBouncer before the server; gives the address of the journal behind it."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed")
    running: list[subprocess.Popen[bytes]] = []
    owner = server.folder.stat().st_uid if os.getuid() == 0 else None

    def start(mode: str, round_robin: int = 0) -> PostgresAddress:
        file = server.folder / "pgbouncer.ini"
        folder = server.folder
        file.write_text(
            SETTINGS.format(server=folder, folder=folder, port=PORT, mode=mode, round_robin=round_robin), "utf-8"
        )
        running.append(subprocess.Popen([str(PROGRAM), str(file)], user=owner, cwd="/", stderr=subprocess.DEVNULL))
        end = time.monotonic() + 60
        while not (folder / f".s.PGSQL.{PORT}").exists():
            assert running[-1].poll() is None and time.monotonic() < end
            time.sleep(0.02)
        return PostgresAddress("NANO_BANANA_JOURNAL", f"postgresql://farm@/postgres?host={folder}&port={PORT}")

    yield start
    for each in running:
        each.kill()
        each.wait()


def opened(home: Path, address: PostgresAddress) -> Journal:
    return open_journal(home, results=home.parent / "results", address=address)


@pytest.mark.parametrize(("mode", "round_robin"), [("transaction", 0), ("transaction", 1), ("statement", 0)])
def test_a_pooler_that_keeps_no_sessions_is_refused(
    pooler: Callable[..., PostgresAddress], server: PostgresServer, tmp_path: Path, mode: str, round_robin: int
) -> None:
    """Whichever of its sessions it gives to the next transaction. Nothing is written, nor set in a session of others."""
    journal = opened(tmp_path / "a", pooler(mode, round_robin))
    for _ in range(3):
        with pytest.raises(LedgerFailed, match="pooler") as refused:
            claim_one(journal)
        assert "pool_mode = session" in refused.value.cure
    assert not server.run("SELECT 1 FROM pg_tables WHERE tablename = 'journal_version'")
    journal.close()


def test_a_pooler_that_keeps_sessions_is_used(
    pooler: Callable[..., PostgresAddress], server: PostgresServer, tmp_path: Path
) -> None:
    """Two workers behind it see each other."""
    address = pooler("session")
    worker, other = opened(tmp_path / "a", address), opened(tmp_path / "b", address)
    assert claim_one(worker) == "reserved" and claim_one(other) == "busy"
    worker.mark_sent(["v1:a"], "call")
    worker.close()
    other.close()


class Connection:
    """A double of psycopg's: `pids` answer its statements one after the other."""

    def __init__(self, told: int, *pids: int) -> None:
        self.info = SimpleNamespace(backend_pid=told)
        self._pids = list(pids)
        self.open = False

    def execute(self, statement: str) -> Any:
        self.open = {"BEGIN": True, "ROLLBACK": False}.get(statement, self.open)
        return SimpleNamespace(fetchone=lambda: (self._pids.pop(0),))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (Connection(11, 11), Connection(12), True),
        (Connection(7, *[11] * 10), Connection(8, 12, 12, 12), True),
        (Connection(7, 11, 11, 11, 11), Connection(8, 11), False),
        (Connection(7, 11, 11, 11, 11, 13), Connection(8, 12), False),
        (Connection(7, 11, 11, 11, 11, 11, 12), Connection(8, 12), False),
        (Connection(7, *[11] * 6), Connection(8, 12, 11), False),
        (Connection(7, 11, 12), Connection(8), False),
    ],
    ids=[
        "no pooler",
        "session mode",
        "one session for both",
        "the session was given away",
        "a new session came first",
        "a new one each time",
        "in turns",
    ],
)
def test_what_shows_that_sessions_are_kept(first: Connection, second: Connection, kept: bool) -> None:
    assert keeps_sessions(first, second) is kept and not second.open
