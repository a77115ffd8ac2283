"""A journal on a PostgreSQL server: its address and password, a server that goes away and comes back, waits without polling."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from journal_driver import FREE, claim_one, entry, open_journal, png, run_context, until
from long_rows import first
from pack.core.errors import JournalAway, LedgerFailed, OverCap
from pack.core.execution.charge import Failed, decide_unstarted_row, row_rule
from pack.core.ledger import Caps, schema
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal
from pack.core.ledger.kept_answers import KeptAnswer
from pack.core.ledger.postgres_address import PostgresAddress
from pack.core.ledger.postgres_session import PostgresSession
from postgres_server import PostgresServer
from sqlalchemy import Connection

SECRET = "hunter2/%40 ü"
QUOTED = "hunter2%2F%2540%20%C3%BC"
NOWHERE = f"postgresql+psycopg://farm:{QUOTED}@127.0.0.1:1/studio"


def opened(server: PostgresServer, home: Path, **more: object) -> Journal:
    address = PostgresAddress("NANO_BANANA_JOURNAL", server.url())
    return open_journal(home, **({"results": home.parent / "results", "address": address} | more))


def at(text: str) -> Journal:
    """A journal in a folder that is never written to."""
    return open_journal(Path("/nonexistent"), address=PostgresAddress("NANO_BANANA_JOURNAL", text))


# ----------------------------------------------------------------------------------------------------------- the address


@pytest.mark.parametrize(
    "text",
    [
        NOWHERE,
        f"postgresql://farm@127.0.0.1:1/studio?password={QUOTED}",
        f"postgres://farm@/studio?host=127.0.0.1:1&password={QUOTED}&sslpassword={QUOTED}",
        f"postgresql+psycopg://farm:{QUOTED}@127.0.0.1:port/studio",
        f"mysql://farm:{QUOTED}@127.0.0.1:1/studio",
        f"farm:{QUOTED}@127.0.0.1",
        f"postgresql+psycopg://farm:{QUOTED}@127.0.0.1:1/studio?sslmode=never",
    ],
)
def test_a_password_is_in_no_message_log_or_repr(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the address is right, wrong or of another kind."""
    pytest.importorskip("psycopg")
    journal: Any = at(text)
    with caplog.at_level(logging.DEBUG), pytest.raises(LedgerFailed) as failed:
        claim_one(journal)
    shown = f"{failed.value} {failed.value.what} {failed.value.cure} {failed.value!r} {journal.database.address!r} "
    shown += f"{caplog.text} {journal.take_notices()} {journal.database.address.shown}"
    assert "NANO_BANANA_JOURNAL" in shown or "127.0.0.1" in shown
    assert "hunter2" not in shown
    error = failed.value
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__, "a traceback would show it"


def test_without_its_driver_the_message_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerFailed) as failed:
        claim_one(at(NOWHERE))
    assert "pip install 'psycopg[binary]'" in str(failed.value) and "hunter2" not in str(failed.value)


def test_the_address_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    """The variable goes first; a file that can't be read is an error, and never a journal of its own."""
    file = tmp_path / "address"
    file.write_text(f"{NOWHERE}\n")
    named = {"NANO_BANANA_JOURNAL_FILE": str(file)}
    assert PostgresAddress.read({}) is None and PostgresAddress.read({"NANO_BANANA_JOURNAL": "  "}) is None
    found = PostgresAddress.read(named)
    assert found and found.url().password == SECRET and found.url().drivername == "postgresql+psycopg"
    first = PostgresAddress.read(named | {"NANO_BANANA_JOURNAL": "postgres://other/x"})
    assert first and first.shown == "postgresql://other/x"
    for broken in (tmp_path / "missing", tmp_path):
        address = PostgresAddress.read({"NANO_BANANA_JOURNAL_FILE": str(broken)})
        with pytest.raises(LedgerFailed, match="NANO_BANANA_JOURNAL_FILE"):
            claim_one(open_journal(tmp_path, address=address))
    file.write_text("")
    address = PostgresAddress.read(named)
    with pytest.raises(LedgerFailed, match="empty"):
        claim_one(open_journal(tmp_path, address=address))
    assert not (tmp_path / "journal.sqlite").exists()


# ------------------------------------------------------------------------------------------- a server that goes away


def test_while_the_journal_is_away_nothing_is_paid_and_what_comes_is_written_down_later(
    server: PostgresServer, tmp_path: Path
) -> None:
    """Four calls are under way when the server is killed: one is answered, one fails, one is accepted, one knows where its
    picture is. Nothing more is reserved or sent, and once the server is back all of it is in the journal."""
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    for name in ("v1:stored", "v1:failed", "v1:accepted", "v1:answered", "v1:unsent"):
        claim_one(worker, name)
        if name != "v1:unsent":
            worker.mark_sent([name], f"call-{name[3:]}")
    server.kill()
    worker.mark_accepted(["v1:accepted"], {"task": "t-1"})
    worker.mark_answered({"v1:answered": "https://x.example/1.png"}, "words", 0.1, "r-1")
    worker.write_incoming("v1:stored", png(1))
    worker.mark_stored("v1:stored", "words", 0.02)
    worker.store_extra("v1:stored", png(2), "beside it")
    worker.store_drafts("v1:stored", [png(3)])
    worker.mark_failed(["v1:failed"], row_rule(Failed("no", "final")), "refused")
    assert worker.unwritten == 6
    for refused in (lambda: claim_one(worker, "v1:new"), lambda: worker.mark_sent(["v1:unsent"], "call")):
        with pytest.raises(JournalAway, match="Nothing is sent that costs money until the journal is back"):
            refused()
    with pytest.raises(JournalAway):
        claim_one(other, "v1:new")
    server.start()
    until(lambda: not worker.unwritten)
    until(lambda: _works(other))
    (extra,) = (row for row in _rows(other) if row.role == "extra")
    assert (extra.state, extra.text, extra.counted) == ("stored", "beside it", 0)
    assert other.results.read(extra.result, extra.uid) == png(2)
    assert [draft.read() for draft in other.look_up(["v1:stored"])["v1:stored"].drafts] == [png(3)]
    rows = {row.fingerprint: row for row in _rows(other) if not row.role}
    assert {name: row.state for name, row in rows.items()} == {
        "v1:stored": "stored",
        "v1:failed": "refused",
        "v1:accepted": "accepted",
        "v1:answered": "answered",
        "v1:unsent": "reserved",
    }
    assert rows["v1:accepted"].task == '{"task": "t-1"}' and rows["v1:answered"].url == "https://x.example/1.png"
    assert other.look_up(["v1:stored"])["v1:stored"].read() == png(1)
    assert [row["usd"] for row in History(other).spend(())] == [pytest.approx(0.02 + 0.134 + 0.1 + 0.134)]
    assert claim_one(other, "v1:accepted") == "busy", "its worker runs"
    worker.mark_sent(["v1:unsent"], "call")
    worker.close()
    other.close()


def _works(journal: Journal) -> bool:
    try:
        journal.look_up(["v1:x"])
        journal.ownership.id  # noqa: B018
    except JournalAway:
        return False
    return True


def _rows(journal: Journal) -> list[Any]:
    with journal.database.read() as connection:
        return list(connection.execute(schema.picture.select()))


def test_a_worker_that_has_not_connected_again_is_not_taken_for_ended(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart of the server the others leave its pictures alone for a while; one that never returns has ended."""
    worker = opened(server, tmp_path / "a")
    claim_one(worker)
    worker.mark_sent(["v1:a"], "call")
    monkeypatch.setattr(PostgresSession, "_reconnect", lambda self: self._closed.wait(60))
    server.kill()
    server.start()
    other = opened(server, tmp_path / "b")
    assert claim_one(other) == "busy"
    monkeypatch.setattr("pack.core.ledger.postgres_session.GRACE_SECONDS", 0.0)
    assert claim_one(other) == "unresolved"
    other.close()
    worker.close()


def test_a_worker_that_was_taken_for_ended_sends_nothing_more_of_what_it_had_reserved(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is cut, another worker reserves the picture, then it is back."""
    monkeypatch.setattr("pack.core.ledger.postgres_session.GRACE_SECONDS", 0.0)
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    claim_one(worker)
    liveness: Any = worker.ownership._own_liveness()
    liveness._closed.set()  # it doesn't connect again by itself
    server.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1")
    until(lambda: claim_one(other) == "reserved")
    liveness._connect()
    with pytest.raises(LedgerFailed):
        worker.mark_sent(["v1:a"], "call")
    other.mark_sent(["v1:a"], "call")
    worker.close()
    other.close()


def cut_off_next_commit(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next transaction is committed, and the connection ends before this process hears of it."""
    genuine = journal.database.write

    @contextmanager
    def cut_off() -> Iterator[Connection]:
        with genuine() as connection:
            yield connection
        monkeypatch.undo()
        raise journal.database.away(ConnectionError("server closed the connection unexpectedly"))  # type: ignore[attr-defined]

    monkeypatch.setattr(journal.database, "write", cut_off)


def test_a_claim_whose_commit_was_cut_off_is_taken_back(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the task of an ended worker, and of two kept answers: one may have been charged, the other surely wasn't."""
    ended = opened(server, tmp_path / "ended")
    for name in ("task", "unknown", "refused"):
        claim_one(ended, f"v1:{name}")
        ended.mark_sent([f"v1:{name}"], name)
    ended.mark_accepted(["v1:task"], {"task": "t-1"})
    ended.mark_failed(["v1:unknown"], row_rule(Failed("maybe", "unresolved")), "unreadable")
    ended.mark_failed(["v1:refused"], row_rule(Failed("no", "final")), "refused")
    ended.close()
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    until(lambda: not server.run("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"))
    before = {row.fingerprint: row for row in _rows(other)}
    for journal in (worker, other):
        for name in ("unknown", "refused"):
            journal.keep_answer(name, KeptAnswer(200, {}, b"a picture in an unknown shape", {}))
    for claim in (
        lambda: worker.claim_stalled(lambda *where: True),
        lambda: worker.claim_answer(before["v1:unknown"].uid),
        lambda: worker.claim_answer(before["v1:refused"].uid),
    ):
        cut_off_next_commit(worker, monkeypatch)
        with pytest.raises(JournalAway):
            claim()
    after = {row.fingerprint: row for row in _rows(other)}
    assert {name: row.state for name, row in after.items()} == {name: row.state for name, row in before.items()}
    assert [claim.task for claim in other.claim_stalled(lambda *where: True)] == [{"task": "t-1"}]
    assert all(other.claim_answer(before[f"v1:{name}"].uid) for name in ("unknown", "refused"))
    worker.close()
    other.close()


@pytest.mark.parametrize("late", first(2, ["retryable", "answered", "accepted"]))
def test_what_a_worker_writes_late_leaves_a_picture_that_another_has_stored(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """It was cut off from the server alone, and another has taken it for ended and fetched its picture."""
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    claim_one(worker)
    worker.mark_sent(["v1:a"], "call")
    worker.mark_accepted(["v1:a"], {"task": "t-1"})
    with monkeypatch.context() as cut_off:

        def away() -> None:
            raise JournalAway("cut off")

        cut_off.setattr(worker.database, "write", away)
        if late == "accepted":
            worker.mark_accepted(["v1:a"], {"task": "t-2"})
        elif late == "answered":
            worker.mark_answered({"v1:a": "https://x.example/1.png"}, "", None, "r-1")
        else:
            worker.mark_retryable(["v1:a"])
        worker.ownership.close()
        until(lambda: claim_one(other, can_resume=lambda *where: True) == "claimed")
        other.write_incoming("v1:a", png(1))
        other.mark_stored("v1:a", "", 0.02)
    worker._backlog.flush()
    assert not worker.unwritten and other.look_up(["v1:a"])["v1:a"].read() == png(1)
    worker.write_incoming("v1:a", png(1))
    worker.mark_stored("v1:a", "", 0.02)
    assert claim_one(other) == "stored"
    worker.close()
    other.close()


def test_a_reservation_whose_commit_was_cut_off_is_taken_back(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the journal, and the worker was told that the connection had ended: nobody would ever work on it."""
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    claim_one(other, "v1:task")
    other.mark_sent(["v1:task"], "call")
    other.mark_accepted(["v1:task"], {"task": "t-1"})
    other.close()
    other = opened(server, tmp_path / "b")
    until(lambda: not server.run("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"))
    cut_off_next_commit(worker, monkeypatch)
    wanted = [entry("v1:a"), entry("v1:task")]
    with pytest.raises(JournalAway):
        worker.reserve(wanted, run_context(), FREE, can_resume=lambda *where: True)
    statuses = other.reserve(wanted, run_context(), FREE, can_resume=lambda *where: True).statuses
    assert statuses == {"v1:a": "reserved", "v1:task": "claimed"}
    worker.close()
    other.close()


def test_messages_of_others_on_the_channel_end_no_session(server: PostgresServer, tmp_path: Path) -> None:
    worker = opened(server, tmp_path / "a")
    claim_one(worker)
    session: Any = worker.ownership._own_liveness()
    kept, told = session._connection, threading.Event()
    worker.database.on("last", lambda payload: told.set())
    for message in ("5", "null", "no JSON", '["x", [], "y"]', '["x"]', "[" * 7000, '["x", "last", ""]'):
        server.run(f"NOTIFY nano_banana, '{message}'")
    assert told.wait(60) and session._connection is kept
    worker.close()


# ------------------------------------------------------------------------------------- defaults of the server


def test_a_stricter_isolation_level_of_the_server_lets_nobody_pay_twice(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a snapshot from before its wait for the lock, a worker would not see what the one before it has reserved."""
    server.run("ALTER ROLE farm SET default_transaction_isolation = 'repeatable read'")
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    other.ownership.id  # noqa: B018  # it is connected, and has read
    other.look_up(["v1:a"])
    statuses: list[str] = []
    waiter = threading.Thread(target=lambda: statuses.append(claim_one(other)))
    genuine = worker._reservations._insert

    def insert_while_the_other_waits(*arguments: Any) -> None:
        waiter.start()
        until(lambda: server.run("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        genuine(*arguments)

    monkeypatch.setattr(worker._reservations, "_insert", insert_while_the_other_waits)
    assert claim_one(worker) == "reserved"
    waiter.join()
    assert statuses == ["busy"]
    worker.close()
    other.close()


def has_exited(processes: list[Path]) -> bool:
    return not any(each.exists() for each in processes)


def test_connections_that_the_server_has_ended_are_replaced_before_they_are_used(
    server: PostgresServer, tmp_path: Path
) -> None:
    """An administrator or a time limit ends them between two runs: no run fails for that."""
    worker = opened(server, tmp_path / "a")
    claim_one(worker)
    kept = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
    idle = f"pid <> pg_backend_pid() AND datname = current_database() AND pid NOT IN ({kept})"
    for name in ("v1:b", "v1:c"):
        ended = server.run(f"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {idle}")
        assert ended
        # The server forgets a process shortly before its connection is closed.
        until(partial(has_exited, [Path(f"/proc/{pid}") for pid, _ in ended]))
        assert worker.look_up([name]) == {} and claim_one(worker, name) == "reserved"
    worker.close()


def test_a_server_that_ends_a_connection_or_stops_is_told_in_our_words(
    server: PostgresServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in the server's, which may be of any language; nothing of them is printed either."""
    import psycopg

    worker = opened(server, tmp_path / "a")
    claim_one(worker)
    with pytest.raises(JournalAway, match="has ended the connection") as ended, worker.database.read() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert "administrator" not in str(ended.value)
    process = server._process
    assert process is not None
    with psycopg.connect(host=str(server.folder), user="farm", dbname="postgres"):
        process.send_signal(signal.SIGTERM)  # it waits for the open sessions, and takes no other
        until(lambda: refusal_of(server) != "")
        again = opened(server, tmp_path / "b")
        with pytest.raises(JournalAway, match="being started or stopped") as refused:
            claim_one(again)
    assert "FATAL" not in f"{refused.value}{capfd.readouterr()}"
    worker.close()
    process.wait()
    server.start()


def refusal_of(server: PostgresServer) -> str:
    """Why the server takes no connection; "" where it does."""
    import psycopg

    try:
        server.run("SELECT 1")
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def test_a_server_that_ends_idle_sessions_does_not_end_a_worker_s(server: PostgresServer, tmp_path: Path) -> None:
    """A worker that has nothing to do for long would be taken for ended."""
    server.run("ALTER ROLE farm SET idle_session_timeout = '1h'")
    worker = opened(server, tmp_path / "a")
    kept = worker.database.connect()  # as a session does
    assert kept.exec_driver_sql("SHOW idle_session_timeout").scalar() == "0"
    kept.close()
    worker.close()


# ---------------------------------------------------------------------------------------------------------- many workers


def test_waiters_are_told_and_don_t_ask(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that another worker stores, and one whose request it takes back. A wait that polled would take a day."""
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    monkeypatch.setattr(other.database, "foreign_wait_seconds", 86400.0)
    for name in ("v1:a", "v1:b"):
        claim_one(worker, name)
        assert claim_one(other, name) == "busy"
        told = threading.Event()
        waiter = threading.Thread(target=_wait, args=(other, name, told))
        waiter.start()
        until(partial(other.ownership._awaited.__contains__, name))
        assert not told.is_set()
        if name == "v1:a":
            worker.mark_sent([name], "call")
            worker.write_incoming(name, png(1))
            worker.mark_stored(name, "", None)
        else:
            worker.mark_failed([name], decide_unstarted_row, "dropped")
        assert told.wait(60)
        waiter.join()
    worker.close()
    other.close()


def _wait(journal: Journal, name: str, told: threading.Event) -> None:
    if journal.wait([[name]], 0.05):
        told.set()


def test_reservations_of_a_worker_that_ended_hold_no_cap(server: PostgresServer, tmp_path: Path) -> None:
    """They were never sent. Others are counted: what was sent may have been charged."""
    worker, other = opened(server, tmp_path / "a"), opened(server, tmp_path / "b")
    cap = Caps(None, 0.268, None)
    for name in ("v1:a", "v1:b"):
        worker.reserve([entry(name)], run_context(), cap)
    worker.mark_sent(["v1:a"], "call")
    with pytest.raises(OverCap, match="cap"):
        other.reserve([entry("v1:c")], run_context(), cap)
    worker.close()
    until(lambda: not server.run("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 OFFSET 1"))
    assert other.reserve([entry("v1:c")], run_context(), cap).statuses == {"v1:c": "reserved"}
    with pytest.raises(OverCap, match="cap"):
        other.reserve([entry("v1:d")], run_context(), cap)
    other.close()


def test_workers_that_start_together_make_one_journal(server: PostgresServer, tmp_path: Path) -> None:
    """And find the pictures of the shared results folder once."""
    before = open_journal(tmp_path / "before", results=tmp_path / "results", address=None)
    claim_one(before)
    before.mark_sent(["v1:a"], "call")
    before.write_incoming("v1:a", png(1))
    before.mark_stored("v1:a", "", None)
    before.close()
    workers = [opened(server, tmp_path / str(number)) for number in range(4)]
    statuses: list[str] = []
    threads = [threading.Thread(target=lambda each=each: statuses.append(claim_one(each))) for each in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == ["stored"] * 4 and len(History(workers[0]).pictures()) == 1
    for worker in workers:
        worker.close()


def test_a_journal_of_a_newer_version_is_refused_and_left_alone(server: PostgresServer, tmp_path: Path) -> None:
    journal = opened(server, tmp_path / "a")
    claim_one(journal)
    journal.close()
    server.run("UPDATE journal_version SET version = 99")
    later = opened(server, tmp_path / "a")
    with pytest.raises(LedgerFailed, match="version 99"):
        claim_one(later, "v1:b")
    assert server.run("SELECT count(*) FROM picture") == [(1,)]


def test_texts_that_the_server_can_t_keep_lose_no_picture(server: PostgresServer, tmp_path: Path) -> None:
    """A NUL and a lone surrogate, from a prompt or from a provider."""
    journal = opened(server, tmp_path / "a")
    journal.reserve([entry(prompt="a\0fox\ud800")], run_context(), FREE)
    journal.mark_sent(["v1:a"], "call")
    journal.write_incoming("v1:a", png(1))
    journal.mark_stored("v1:a", "words\0", None, notices=["n\0"])
    (shown,) = History(journal).pictures("fox")
    assert shown.prompt == "a?fox?" and journal.look_up(["v1:a"])["v1:a"].read() == png(1)
    journal.close()


def test_a_machine_with_another_results_folder_sends_nothing(server: PostgresServer, tmp_path: Path) -> None:
    """It would not see what the others have paid. Where a folder takes the place of a lost one, it is told once."""
    worker = opened(server, tmp_path / "a")
    claim_one(worker)
    elsewhere = tmp_path / "b" / "results"
    other = opened(server, tmp_path / "b", results=elsewhere)
    with pytest.raises(LedgerFailed, match="paid again") as refused:
        claim_one(other, "v1:b")
    (known,) = (tmp_path / "results" / "journal.id").read_text().split()
    assert known in str(refused.value)
    elsewhere.mkdir(parents=True)
    (elsewhere / "journal.id").write_text(f"{known}\n")
    assert claim_one(other, "v1:b") == "reserved"
    worker.close()
    other.close()


def test_a_results_folder_that_vanishes_while_it_is_used_pays_nothing_again(
    server: PostgresServer, tmp_path: Path
) -> None:
    """As where its drive is no longer mounted, until it is mounted again."""
    worker = opened(server, tmp_path / "a")
    claim_one(worker)
    worker.mark_sent(["v1:a"], "call")
    worker.write_incoming("v1:a", png(1))
    worker.mark_stored("v1:a", "", None)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    (tmp_path / "results").mkdir()
    with pytest.raises(LedgerFailed, match="paid again"):
        claim_one(worker)
    (tmp_path / "results").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "results")
    assert claim_one(worker) == "stored"
    worker.close()


def test_sums_from_the_server_are_plain_numbers(server: PostgresServer, tmp_path: Path) -> None:
    """They go into JSON for the page, which has no decimals of a database."""
    journal = opened(server, tmp_path / "a")
    journal.reserve([entry(delivery="batch")], run_context(), FREE)
    journal.mark_sent(["v1:a"], "order")
    history = History(journal)
    shown = [vars(order) for order in journal.open_orders()], history.spend(), history.choices(), history.sizes()
    assert json.loads(json.dumps(shown))[0][0]["usd"] == 0.134
    journal.close()
