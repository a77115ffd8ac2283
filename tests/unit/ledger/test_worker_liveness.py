"""A connection to the server that breaks alone is not the end of its worker.

The worker has time to connect again, and does so before it sends anything that costs money.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journal_driver import another_process, claim_one, die, open_journal, until
from pack.core.errors import JournalAway
from pack.core.ledger.journal import Journal
from pack.core.ledger.postgres_address import PostgresAddress
from pack.core.ledger.postgres_session import PostgresSession
from postgres_server import PostgresServer

GRACE = "pack.core.ledger.postgres_session.GRACE_SECONDS"


class Line:
    """A socket between workers and the server, on which the connection that shows a worker can go silent."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.folder, self._target = folder, str(server.folder / ".s.PGSQL.5432")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._silent: set[int] = set()
        self._listening: set[int] = set()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Neither side of what listens now hears of the other one any more, not even that it has closed."""
        self._silent |= self._listening

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(number, source, target), daemon=True).start()

    def _forward(self, number: int, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if b"LISTEN" in data:
                    self._listening.add(number)
                if number not in self._silent:
                    target.sendall(data)
            if number not in self._silent:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def line(postgres: PostgresServer, tmp_path: Path) -> Iterator[Line]:
    made = Line(postgres, tmp_path)
    yield made
    made.close()


@pytest.fixture
def schema(postgres: PostgresServer) -> Iterator[str]:
    name = f"alive_{uuid.uuid4().hex[:12]}"
    postgres.run(f"CREATE SCHEMA {name}")
    yield name
    postgres.run(f"DROP SCHEMA {name} CASCADE")


def opened(server: PostgresServer, home: Path, schema: str, line: Line | None = None) -> Journal:
    address = server.url(schema).replace(str(server.folder), str(line.folder if line else server.folder))
    return open_journal(home, results=home.parent / "results", address=PostgresAddress("the test", address))


def session_of(journal: Journal) -> Any:
    return journal.ownership._own_liveness()


def backend_of(journal: Journal) -> int:
    """The server's process for the connection that shows this worker."""
    return int(session_of(journal)._connection.connection.driver_connection.info.backend_pid)


def end_backend(server: PostgresServer, pid: int) -> None:
    server.run(f"SELECT pg_terminate_backend({pid})")
    until(lambda: not server.run(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"))


def test_a_worker_whose_connection_breaks_keeps_its_pictures(
    postgres: PostgresServer, tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others miss it, wait, and find it again; its connection is another one by then."""
    worker, other = opened(postgres, tmp_path / "a", schema), opened(postgres, tmp_path / "b", schema)
    claim_one(worker)
    worker.mark_sent(["v1:a"], "call")
    session, may_return, genuine = session_of(worker), threading.Event(), PostgresSession._reconnect

    def reconnect_later(self: PostgresSession) -> None:
        assert may_return.wait(60)
        genuine(self)

    monkeypatch.setattr(PostgresSession, "_reconnect", reconnect_later)
    first = backend_of(worker)
    end_backend(postgres, first)
    assert claim_one(other) == "busy" and claim_one(other) == "busy"
    assert postgres.run(f"SELECT missed > 0 FROM {schema}.worker WHERE id = '{session.id}'") == [(True,)]
    may_return.set()
    until(lambda: postgres.run(f"SELECT 1 FROM {schema}.worker WHERE id = '{session.id}' AND missed = 0"))
    monkeypatch.setattr(GRACE, 0.0)
    assert claim_one(other) == "busy" and backend_of(worker) != first
    worker.close()
    other.close()


def test_a_worker_that_never_returns_has_ended_after_a_while(
    postgres: PostgresServer, tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts from when it is first missed. One that leaves in peace, or is unknown, isn't waited for."""
    worker, other, third = (opened(postgres, tmp_path / name, schema) for name in ("a", "b", "c"))
    claim_one(worker)
    worker.mark_sent(["v1:a"], "call")
    claim_one(third, "v1:c")
    third.mark_sent(["v1:c"], "call-c")
    third.close()
    assert claim_one(other, "v1:c") == "unresolved"
    monkeypatch.setattr(PostgresSession, "_reconnect", lambda self: self._closed.wait(60))
    end_backend(postgres, backend_of(worker))
    assert claim_one(other) == "busy"
    missed = f"UPDATE {schema}.worker SET missed = missed - 9 WHERE missed > 0"
    postgres.run(missed)
    assert claim_one(other) == "busy"
    postgres.run(missed)
    # A server that was started later than that would have made it wait.
    until(lambda: claim_one(other) == "unresolved")
    worker.close()
    other.close()


def test_the_task_of_a_killed_worker_is_fetched_when_its_time_is_over(
    postgres: PostgresServer, tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for it: the recovery after a start looks twice."""
    worker, other = opened(postgres, tmp_path / "a", schema), opened(postgres, tmp_path / "b", schema)
    claim_one(worker)
    worker.mark_sent(["v1:a"], "call")
    worker.mark_accepted(["v1:a"], {"task": "t-1"})
    monkeypatch.setattr(PostgresSession, "_reconnect", lambda self: self._closed.wait(60))
    end_backend(postgres, backend_of(worker))
    assert other.claim_stalled(lambda *where: True) == []
    monkeypatch.setattr(GRACE, 0.0)
    assert [claim.task for claim in other.claim_stalled(lambda *where: True)] == [{"task": "t-1"}]
    worker.close()
    other.close()


def test_a_worker_that_can_t_be_seen_any_more_sends_nothing(
    postgres: PostgresServer, tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isn't told that its connection has ended, and another one has missed it: it could be taken for ended any moment."""
    monkeypatch.setattr(PostgresSession, "_run", lambda self: self._closed.wait(60))
    monkeypatch.setattr("pack.core.ledger.postgres_session._RECONNECT_SECONDS", 0.1)
    worker, other = opened(postgres, tmp_path / "a", schema), opened(postgres, tmp_path / "b", schema)
    claim_one(worker)
    end_backend(postgres, backend_of(worker))
    assert claim_one(other) == "busy"
    with pytest.raises(JournalAway, match="Nothing is sent"):
        worker.mark_sent(["v1:a"], "call")
    assert postgres.run(f"SELECT state, attempts FROM {schema}.picture") == [("reserved", 0)]
    worker.close()
    other.close()


def test_a_worker_that_is_missed_connects_again_before_it_sends(
    postgres: PostgresServer, line: Line, tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line went silent and the server has ended the connection: the worker isn't told of it by anybody."""
    worker, other = opened(postgres, tmp_path / "a", schema, line), opened(postgres, tmp_path / "b", schema)
    claim_one(worker)
    first = backend_of(worker)
    line.silence()
    end_backend(postgres, first)
    assert claim_one(other) == "busy"
    worker.mark_sent(["v1:a"], "call")
    assert backend_of(worker) != first
    monkeypatch.setattr(GRACE, 0.0)
    assert claim_one(other) == "busy"
    assert postgres.run(f"SELECT state FROM {schema}.picture") == [("sent",)]
    worker.close()
    other.close()


def test_a_connection_that_the_server_takes_for_a_living_one_gives_its_lock_to_the_next(
    postgres: PostgresServer, line: Line, tmp_path: Path, schema: str
) -> None:
    """The worker has found out that its line is silent. The server would need half a minute for it."""
    worker = opened(postgres, tmp_path / "a", schema, line)
    claim_one(worker)
    first = backend_of(worker)
    line.silence()
    session_of(worker)._wake()
    until(lambda: session_of(worker)._connection is not None and backend_of(worker) != first)
    # It is still shown for a moment after it has let go of the lock.
    until(lambda: not postgres.run(f"SELECT 1 FROM pg_stat_activity WHERE pid = {first}"), "it was not ended", 15)
    worker.mark_sent(["v1:a"], "call")
    worker.close()


def test_a_killed_worker_is_taken_over_when_its_time_is_over(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of another worker waits for it, and isn't told that it failed."""
    monkeypatch.setenv("TEST_POSTGRES_SERVER", str(postgres.folder))
    process = another_process(tmp_path, "claim_one(journal); print('there', flush=True); input()")
    other = open_journal(tmp_path)
    assert claim_one(other) == "busy"
    monkeypatch.setattr(GRACE, 1.0)
    die(process)
    assert claim_one(other) == "busy"
    until(lambda: other.wait([["v1:a"]], 0.1))
    assert claim_one(other) == "reserved"
    other.close()
